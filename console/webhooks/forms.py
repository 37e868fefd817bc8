"""What is typed about webhooks: an endpoint, and a moment from which to send again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pages.clock import now
from pages.forms import Choices, Form, Moment, Text
from pages.translations import gettext as _
from pages.translations import lazy

SOURCES = {
    "order.*": lazy("Orders: accepted, settled, rejected"),
    "exchange.*": lazy("Exchanges that came in or went out"),
    "spend.*": lazy("Points spent with you, or yours elsewhere"),
    "reversal.*": lazy("Reversals"),
    "hold.*": lazy("Holds"),
    "agreement.*": lazy("Agreements"),
    "member.*": lazy("Members"),
    "points.*": lazy("Points that expire"),
    "deposit.*": lazy("Deposits"),
    "withdrawal.*": lazy("Withdrawals"),
    "liquidity.*": lazy("Liquidity"),
    "statement.*": lazy("Statements"),
    "staff.*": lazy("Staff"),
    "api_key.*": lazy("API keys"),
    "webhook_endpoint.*": lazy("Webhooks"),
}
"""Events by what they are about."""

_TYPE = re.compile(r"[a-z][a-z_]*\.([a-z][a-z_]*|\*)", re.ASCII)
_URL = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,，、;；]+")


class Endpoint(Form):
    """Where events are sent, and which."""

    url = Text(lazy("URL"), longest=2_048, hint=lazy("An address of yours that begins with https://"))
    sources = Choices(
        lazy("Events"),
        required=False,
        options=SOURCES,
        hint=lazy("Without any, all events are sent."),
        pointer="/sources",
    )
    further = Text(
        lazy("Single types of events"),
        required=False,
        longest=1_000,
        pointer="/types",
        hint=lazy("Separated by spaces, such as order.settled exchange.received"),
    )
    description = Text(lazy("What it is for"), required=False)

    def check(self) -> None:
        """The address is one, and every single type looks like one."""
        if "url" in self.values and not _URL.match(self.values["url"]):
            self.refuse("url", _("Write a whole address that begins with https://"))
        for one in self._further:
            if not _TYPE.fullmatch(one):
                self.refuse("further", _("%(text)s is no type of events, such as order.settled.") % {"text": one})
                return

    @property
    def types(self) -> list[str]:
        """The types as the gateway takes them."""
        return list(dict.fromkeys([*self.values["sources"], *self._further]))

    @property
    def _further(self) -> list[str]:
        return [one for one in _BETWEEN.split(self.values["further"] or "") if one]


class Replay(Form):
    """From when on to send again."""

    since = Moment(lazy("Since"), hint=lazy("In the network's time. At most 10,000 events at once."))

    def check(self) -> None:
        """It has been."""
        if self.values["since"] > now():
            self.refuse("since", _("This is in the future."))


def initial_of(url: str, types: Sequence[str], description: str) -> dict[str, Any]:
    """What the form of an endpoint begins with."""
    return {
        "url": url,
        "sources": [one for one in types if one in SOURCES],
        "further": " ".join(one for one in types if one not in SOURCES),
        "description": description,
    }
