"""What the reference model keeps: plain records, and the two ways in which a call can fail."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Any, NamedTuple

from ...orders import UINT64_MAX, AgreementTerms, Reason

CREATED = ("issued", "exchanged_in", "restored")
DESTROYED = ("redeemed", "spent", "exchanged_out", "expired", "revoked")


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


@dataclass
class Merchant:
    """A legal entity and its net settlement balance, in micros."""

    credit_limit: int
    position: int = 0
    status: Status = Status.ACTIVE

    def can_pay(self, micros: int) -> bool:
        return self.position - micros >= -self.credit_limit


@dataclass
class Key:
    """A signer key: its merchant and the window in which it counts."""

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


@dataclass
class Program:
    """A points currency and its totals over its whole life."""

    merchant: int
    code: bytes
    name: bytes
    paused: bool = False
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CREATED + DESTROYED, 0))

    def can_mint(self, points: int) -> bool:
        return sum(self.totals[name] for name in CREATED) + points <= UINT64_MAX

    def supply(self) -> int:
        return sum(self.totals[name] for name in CREATED) - sum(self.totals[name] for name in DESTROYED)


@dataclass
class Agreement:
    """Terms, whose end may have come closer, and the source points burnt under them, day by day."""

    terms: AgreementTerms
    used: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def rate(self) -> Fraction:
        return Fraction(self.terms.rate_num, self.terms.rate_den)


@dataclass(frozen=True)
class Movement:
    """What an accepted instruction moved."""

    points: int
    out: int = 0
    settled: int = 0
    fee: int = 0
    expiry_day: int = 0
    agreement: int = 0
