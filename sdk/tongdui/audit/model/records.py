"""What the reference model keeps: plain records, and the two ways in which a call can fail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from ...orders import UINT64_MAX, ZERO_ADDRESS, AgreementTerms, Reason


class Role(IntEnum):
    """What an account of the network's operator may do."""

    OPERATOR = 0
    SEQUENCER = 1
    TREASURY = 2
    PAUSER = 3


class Status(IntEnum):
    """Life of a merchant."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    CLOSED = 3


class Stage(IntEnum):
    """Where a clearing house is between its birth and its end."""

    OPERATING = 0
    IMPORTING = 1
    FROZEN = 2


class Reverted(Exception):
    """The whole call failed with a custom error; nothing changed."""

    def __init__(self, error: str, *args: Any) -> None:
        super().__init__(error, args)
        self.error = error
        self.arguments = args


class Refused(Exception):
    """An instruction was refused; nothing changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def require(holds: bool, error: str, *args: Any) -> None:
    """Reverts the call unless `holds`."""
    if not holds:
        raise Reverted(error, *args)


def check(holds: bool, reason: Reason) -> None:
    """Refuses the instruction unless `holds`."""
    if not holds:
        raise Refused(reason)


class Merchant(NamedTuple):
    """A legal entity and its net settlement balance, in micros."""

    credit_limit: int
    position: int = 0
    status: Status = Status.ACTIVE

    def can_pay(self, micros: int) -> bool:
        """Whether it can pay so much and stay within its credit limit."""
        return self.position - micros >= -self.credit_limit


class Key(NamedTuple):
    """A signer key: its merchant and the window in which it counts, in Unix seconds."""

    merchant: int
    valid_from: int
    valid_until: int


class SignerChange(NamedTuple):
    """What a merchant signs to give one of its keys a window, or to take it away."""

    merchant: int
    key: str
    valid_from: int
    valid_until: int
    nonce: int


class Totals(NamedTuple):
    """A program's totals over its whole life, in points."""

    issued: int = 0
    exchanged_in: int = 0
    restored: int = 0
    redeemed: int = 0
    spent: int = 0
    exchanged_out: int = 0
    expired: int = 0
    revoked: int = 0

    @property
    def created(self) -> int:
        """All points that ever came into being."""
        return self.issued + self.exchanged_in + self.restored

    @property
    def supply(self) -> int:
        """The points in circulation."""
        return self.created - self.redeemed - self.spent - self.exchanged_out - self.expired - self.revoked

    def plus(self, total: str, points: int) -> Totals:
        """The totals with points added to one of them."""
        return self._replace(**{total: getattr(self, total) + points})


class Cap(NamedTuple):
    """How many points a program may issue in a day, and how many it has issued on the last day on which it did."""

    points: int = 0
    """0: any number, as in `next_points`."""
    used: int = 0
    next_points: int = 0
    """Counts in place of `points` from `next_day` on."""
    next_day: int = 0
    """0: nothing follows."""
    used_day: int = 0

    def on(self, day: int) -> int:
        """The cap of a day; 0 if there is none."""
        return self.next_points if 0 < self.next_day <= day else self.points

    def used_on(self, day: int) -> int:
        """What was issued on a day, which is not before the last one."""
        return self.used if self.used_day == day else 0

    def leaves(self, points: int, day: int) -> bool:
        """Whether so many points more may be issued on a day."""
        return self.on(day) == 0 or self.used_on(day) + points <= self.on(day)

    def changed(self, points: int, today: int, from_day: int) -> Cap:
        """The cap with so many points from a day on, which is today or later."""
        if from_day > today:
            return self._replace(points=self.on(today), next_points=points, next_day=from_day)
        return self._replace(points=points, next_points=0, next_day=0)

    def with_use(self, points: int, day: int) -> Cap:
        """The cap after so many points more were issued on a day."""
        return self._replace(used=self.used_on(day) + points, used_day=day) if self.points else self


class Program(NamedTuple):
    """A points currency."""

    merchant: int
    code: bytes
    name: bytes
    paused: bool = False
    totals: Totals = Totals()
    cap: Cap = Cap()

    def can_mint(self, points: int) -> bool:
        """Whether so many points more can come into being: a program mints less than 2^64 in its life."""
        return self.totals.created + points <= UINT64_MAX

    def supply(self) -> int:
        """The points in circulation."""
        return self.totals.supply


class Agreement(NamedTuple):
    """Terms, whose end may have come closer."""

    terms: AgreementTerms


class Use(NamedTuple):
    """The source points burnt under an agreement on the last day on which it was used."""

    day: int = 0
    points: int = 0

    def on(self, day: int) -> int:
        """The points of a day, which is not before the last one."""
        return self.points if self.day == day else 0


@dataclass(frozen=True)
class Movement:
    """What an accepted instruction moved."""

    points: int
    out: int = 0
    settled: int = 0
    fee: int = 0
    expiry_day: int = 0
    agreement: int = 0


class Predecessor(NamedTuple):
    """The clearing house whose state this one took over; nothing, if it had none."""

    chain_id: int = 0
    house: str = ZERO_ADDRESS
    leaves: int = 0
    head: bytes = bytes(32)
    root: bytes = bytes(32)
