"""The channels by which customers are told something, each behind Apprise. A file has their addresses, which are secrets:

    [channels]
    sms = "jsons://sms.example/send?:to={to}"
    mail = "mailtos://programme:password@mail.example/?to={to}"

A customer's own address takes the place of `{to}`. The order of the lines is the order in which they are tried. `console://`
writes to standard error: for development.
"""

from __future__ import annotations

import logging
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import apprise
from apprise.decorators import notify

from loyalty.customers.models import ChannelName
from loyalty.kit.settings import Settings, WrongSettings
from loyalty.messages.templates import Text

_TO: Final = "{to}"
_SAMPLES: Final = ("+8613800138000", "somebody@mail.example", "0123456789abcdef0123456789abcdef")
"""Addresses of customers, as services want them. One of them has to suit."""
_TIMEOUT: Final = 20
_ASSET: Final = apprise.AppriseAsset(service_timeout=_TIMEOUT)
_LONGEST_DETAIL: Final = 300
_URL = re.compile(r"[a-z0-9+]+://\S+", re.IGNORECASE)
_SETTING: Final = "LOYALTY_CHANNELS_FILE"


class NotSent(Exception):
    """The channel did not take a message."""


class Unclear(Exception):
    """The channel gave no answer: it may have taken the message, or not."""


class Channels:
    """The channels of a programme. What they are reached by is shown nowhere."""

    def __init__(self, urls: Mapping[ChannelName, str]) -> None:
        self._urls = dict(urls)

    @classmethod
    def of(cls, settings: Settings) -> Channels:
        """The channels that the settings name; none without a file. Raises WrongSettings, which names the channel at fault."""
        return cls({} if settings.channels_file is None else _read(settings.channels_file))

    @property
    def names(self) -> tuple[ChannelName, ...]:
        """Which there are, in the order in which they are tried."""
        return tuple(self._urls)

    @property
    def services(self) -> Mapping[ChannelName, str]:
        """What kind of service each is, as Apprise calls it."""
        return {name: _service_of(url) for name, url in self._urls.items()}

    def send(self, channel: str, to: str, text: Text) -> None:
        """Hands a message to a channel. Raises NotSent and Unclear."""
        url = self._urls.get(ChannelName(channel))
        if url is None:
            raise NotSent(f"no channel {channel} is set up")
        service = apprise.Apprise(asset=_ASSET)
        service.add(_addressed(url, to))
        result = service.notify(body=text.body, title=text.title)
        if result.timeout_count:
            raise Unclear(f"no answer within {_TIMEOUT} seconds")
        if not result:
            said = "; ".join(entry.message for entry in result.logs())
            raise NotSent(_without_addresses(said, to) or "the service did not take it")


def _read(path: Path) -> Mapping[ChannelName, str]:
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongSettings(f"{_SETTING}: {path}: {error}") from None
    found = content.get("channels")
    if not isinstance(found, dict) or set(content) != {"channels"}:
        raise WrongSettings(f"{_SETTING}: {path} has one table, [channels], with a line for each channel")
    return {_name(name): _checked(name, url) for name, url in found.items()}


def _name(name: str) -> ChannelName:
    try:
        return ChannelName(name)
    except ValueError:
        known = ", ".join(ChannelName)
        raise WrongSettings(f"{_SETTING}: there is no channel {name!r}; there are {known}") from None


def _checked(name: str, url: object) -> str:
    if not isinstance(url, str) or not any(apprise.Apprise().add(_addressed(url, sample)) for sample in _SAMPLES):
        detail = "is no address of a service that Apprise knows, such as mailtos://user:password@mail.example/?to={to}"
        raise WrongSettings(f"{_SETTING}: channels.{name} {detail}")
    if _TO not in url and not url.startswith("console://"):
        raise WrongSettings(
            f"{_SETTING}: channels.{name} says nowhere to whom: put {_TO} where the customer's address belongs"
        )
    return url


def _service_of(url: str) -> str:
    made = (apprise.Apprise.instantiate(_addressed(url, sample)) for sample in _SAMPLES)
    return next(str(service.service_name) for service in made if service is not None)


def _addressed(url: str, to: str) -> str:
    return url.replace(_TO, quote(to, safe=""))


def _without_addresses(said: str, to: str) -> str:
    """What a service complained of, without URLs, which have its secrets, and without the customer's address."""
    return _URL.sub("...", said).replace(to, "...")[:_LONGEST_DETAIL]


# Its own log would have customers' addresses; what matters of it comes back as the result.
logging.getLogger("apprise").propagate = False


@notify(on="console")  # type: ignore[no-untyped-call, untyped-decorator] # Apprise's own
def _console(body: str, title: str, *_arguments: Any, **_named: Any) -> bool:
    sys.stderr.write(f"message: {title}: {body}\n")
    sys.stderr.flush()
    return True
