"""The arithmetic of IFRS 15 B39 to B46 for points: what is deferred, and what of it has been recognised. Exact fractions.

Money is in micros or any other unit, points are whole; nothing here rounds but `whole_micros`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


def whole_micros(amount: Fraction) -> int:
    """The one rounding: to whole micros, half to even. Only what is shown is rounded, never what is carried on."""
    return round(amount)


def deferred_share(consideration: Fraction, goods: Fraction, points: Fraction) -> Fraction:
    """The part of a sale's price that belongs to its points, by relative stand-alone selling prices (paragraphs 74, 76 and B42).

    Args:
        consideration: What the customer paid.
        goods: Stand-alone selling price of the goods; not negative.
        points: Stand-alone selling price of the points: what they are worth, times how likely they are redeemed; not negative.

    Returns:
        The part to defer. Nothing, where neither is worth anything.
    """
    together = goods + points
    return consideration * points / together if together else Fraction(0)


def recognised(deferred: Fraction, redeemed: int, expected: Fraction) -> Fraction:
    """What of a deferred amount is revenue by now: in proportion to the redemptions that are expected in the end (B46).

    Args:
        deferred: What was deferred for the points in the first place.
        redeemed: Points redeemed so far.
        expected: All redemptions that are expected, those so far included.

    Returns:
        Between nothing and `deferred`: all of it, once no more redemptions are expected.
    """
    return deferred if redeemed >= expected else deferred * redeemed / expected


@dataclass(frozen=True, slots=True)
class Standing:
    """Points of one cohort at the end of a day: those that a program issued, or took in by exchange, in one month."""

    deferred: Fraction
    """What was deferred for them in the first place."""
    redeemed: int
    """Redeemed, spent and exchanged out, less what was given back."""
    open: int
    """Neither redeemed nor expired."""
    expected: Fraction
    """All redemptions that are expected, by the estimate of that day."""

    @property
    def expected_in_the_end(self) -> Fraction:
        """The same within what is still possible: no less than was redeemed, no more than that and what is open."""
        return min(max(self.expected, Fraction(self.redeemed)), Fraction(self.redeemed + self.open))

    @property
    def recognised(self) -> Fraction:
        """Revenue so far."""
        return recognised(self.deferred, self.redeemed, self.expected_in_the_end)

    @property
    def balance(self) -> Fraction:
        """The contract liability."""
        return self.deferred - self.recognised


NOTHING = Standing(Fraction(0), 0, 0, Fraction(0))
"""A cohort before its first point."""


@dataclass(frozen=True, slots=True)
class RollForward:
    """How the contract liability came from one date to another: opening + additions - recognised + remeasurement = closing."""

    opening: Fraction
    additions: Fraction
    """Deferred for points issued and taken in, less points whose issue was reversed."""
    recognised: Fraction
    """Revenue for the redemptions between the dates, at the estimate of the closing date."""
    remeasurement: Fraction
    """What earlier redemptions would have brought less, had the closing date's estimate been known. Negative: they bring more."""
    closing: Fraction

    @property
    def revenue(self) -> Fraction:
        """What the profit and loss account shows for the time between the dates."""
        return self.recognised - self.remeasurement

    @classmethod
    def between(cls, opening: Standing, closing: Standing) -> RollForward:
        """Of one cohort. A changed estimate is caught up in the period in which it changes; nothing earlier is restated."""
        end = closing.expected_in_the_end
        a_point = closing.deferred / end if end else Fraction(0)
        revenue = closing.recognised - opening.recognised
        for_redemptions = (closing.redeemed - opening.redeemed) * a_point
        return cls(
            opening.balance,
            closing.deferred - opening.deferred,
            for_redemptions,
            for_redemptions - revenue,
            closing.balance,
        )

    @classmethod
    def together(cls, parts: Iterable[RollForward]) -> RollForward:
        """Of many cohorts."""
        sums = [Fraction(0)] * 5
        for part in parts:
            amounts = (part.opening, part.additions, part.recognised, part.remeasurement, part.closing)
            sums = [total + amount for total, amount in zip(sums, amounts, strict=True)]
        return cls(*sums)
