"""What a customer has in the network, and what of it expires when. It is asked each time: balances are never kept here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile
from threading import Lock
from time import monotonic
from typing import Final

import structlog

from loyalty.kit.settings import Settings
from loyalty.network.members import as_member
from tongdui import Client, Lot, NotFoundError, TongduiError

log = structlog.get_logger(__name__)
_TIMEOUT_SECONDS: Final = 3.0
"""Somebody waits for the page."""
_PAUSE_SECONDS: Final = 5.0
"""After a failure nobody asks for so long: else every page would wait for a network that is away."""


class NetworkAway(Exception):
    """The network does not say what a customer has."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points whose last day is this one."""

    last_day: date
    points: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What a customer has in a program.

    Attributes:
        program: The program's code.
        points: What is on the chain.
        reserved: What of it is set aside.
        expiring: What of it expires within the days that were asked for, the first day first.
    """

    program: str
    points: int
    reserved: int
    expiring: Sequence[Expiring]


class Balances:
    """Asks the network. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._url, self._key = str(settings.gateway_url), settings.network_key
        self._lock = Lock()
        self._client: Client | None = None
        self._away_until = 0.0

    def of(self, customer: str, today: date, days: int) -> Sequence[Holding]:
        """What a customer has, and what expires within so many days. Raises NetworkAway."""
        if not self._key or monotonic() < self._away_until:
            raise NetworkAway
        try:
            return self._asked(as_member(customer), today + timedelta(days))
        except NotFoundError:
            return ()  # the network has not heard of the customer yet
        except TongduiError as error:
            log.warning("the network does not say what a customer has", error=type(error).__name__)
            self._away_until = monotonic() + _PAUSE_SECONDS
            raise NetworkAway from error

    def _asked(self, member: str, until: date) -> Sequence[Holding]:
        client = self._connected()
        return [
            Holding(
                program=account.program,
                points=account.posted,
                reserved=account.reserved,
                expiring=_expiring(client.lots.list(member, account.program), until),
            )
            for account in client.members.accounts(member)
        ]

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = Client(self._url, self._key, timeout=_TIMEOUT_SECONDS, max_retries=0)
            return self._client


def _expiring(lots: Iterable[Lot], until: date) -> Sequence[Expiring]:
    """What expires until a day, by day. Lots come in the order in which they expire, and those that never do come last."""
    found: dict[date, int] = {}
    for lot in takewhile(lambda one: one.expires_on is not None and one.expires_on <= until, lots):
        assert lot.expires_on is not None
        found[lot.expires_on] = found.get(lot.expires_on, 0) + lot.points
    return [Expiring(day - timedelta(1), points) for day, points in sorted(found.items())]
