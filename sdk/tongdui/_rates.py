"""The network's rates as a graph, and what terms would mean before anybody proposes them."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction

from tongdui._models import AgreementWarning, Model


class Conversion(Model):
    """What a movement of `points` source points would do under some terms.

    `points_burnt` leave the member, `out` arrive; the source merchant pays `settled_micros` to the target merchant, and
    `fee_micros` to the operator on top.
    """

    points: int
    points_burnt: int
    out: int
    settled_micros: int
    fee_micros: int


class RateCycle(Model):
    """A way on which points come back to the program that they left. `path` has its first program again at the end.

    Terms that would close a cycle with a gain of more than 1 are refused (`is_allowed` is False).
    """

    path: tuple[str, ...]
    gain_num: int
    gain_den: int
    is_allowed: bool

    @property
    def gain(self) -> Fraction:
        """How many points come back of one: the product of the rates."""
        return Fraction(self.gain_num, self.gain_den)


class AgreementPreview(Model):
    """What terms would mean, if they were proposed now. `cycle` is the best one that they would close."""

    kind: str
    source_merchant: str
    target_merchant: str
    source_program: str
    target_program: str | None = None
    conversion: Conversion
    cycle: RateCycle | None = None
    warnings: tuple[AgreementWarning, ...] = ()


class AgreementUse(Model):
    """What an agreement has used of the daily cap: source points burnt on the day, and those on their way to the chain."""

    agreement: str
    day: date
    daily_cap: int
    burnt_points: int
    reserved_points: int
    left_points: int


class RateNode(Model):
    """A program, whose points become others."""

    program: str
    name: str
    merchant: str
    merchant_name: str


class RateEdge(Model):
    """A live agreement. `target_program` is None for an acceptance, which gives goods."""

    agreement: str
    kind: str
    source_program: str
    target_program: str | None = None
    source_merchant: str
    target_merchant: str
    rate_num: int
    rate_den: int
    unit_price_micros: int
    fee_bps: int
    ends_at: datetime

    @property
    def rate(self) -> Fraction:
        """Target points for one source point."""
        return Fraction(self.rate_num, self.rate_den)


class Rates(Model):
    """Programs, and the live agreements between them."""

    nodes: tuple[RateNode, ...] = ()
    edges: tuple[RateEdge, ...] = ()
