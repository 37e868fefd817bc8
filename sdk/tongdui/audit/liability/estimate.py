"""How many of the points of a month will be redeemed in the end, from how those of earlier months were.

The additive method of claims reserving, with exact fractions: of all points that are at least so many months old, the share
redeemed at each age is what younger ones are expected to do at that age. Ages count calendar months, the month of issue is 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

Month = int
"""Months since January of year 0: `12 x year + month - 1`."""

LEAST_HISTORY = 12
"""Whole months that the oldest points must have behind them before anything is estimated from history."""


@dataclass(slots=True)
class History:
    """Of one program: points by the month in which they were made, and the month in which something happened to them."""

    made: dict[tuple[Month, Month], int] = field(default_factory=lambda: defaultdict(int))
    """Points made in the month; negative in a later month, where a reversal took some of them back."""
    redeemed: dict[tuple[Month, Month], int] = field(default_factory=lambda: defaultdict(int))

    def shares(self, end: Month) -> list[Fraction]:
        """The share of points redeemed at each age, of those that had all of that month behind them before `end`."""
        made = {month: points for month, points in _before(self.made, end).items() if points > 0}
        shares = []
        for age in range(max((end - month for month in made), default=0)):
            seen = [month for month in made if month + age < end]
            redeemed = sum(self.redeemed.get((month, month + age), 0) for month in seen)
            shares.append(Fraction(redeemed, sum(made[month] for month in seen)))
        return shares

    def redeemed_before(self, end: Month) -> dict[Month, int]:
        """Points of each month that were redeemed before the month `end`."""
        return _before(self.redeemed, end)


def _before(happened: Mapping[tuple[Month, Month], int], end: Month) -> dict[Month, int]:
    """By the month in which points were made, what had happened to them before the month `end`."""
    found: dict[Month, int] = defaultdict(int)
    for (month, when), points in happened.items():
        if when < end:
            found[month] += points
    return found


def expected_redemptions(history: History, end: Month, made: Mapping[Month, int]) -> dict[Month, Fraction]:
    """Estimate how many points of each month are redeemed in the end.

    Args:
        history: What the program's points did.
        end: The first month that is not whole yet, and so not history.
        made: Points of each month, less those taken back.

    Returns:
        For each month of `made` those redeemed before `end`, and those that are expected at the ages to come. With less than
        `LEAST_HISTORY` whole months nobody can say which points stay unused (B46): then all of them are expected to be redeemed.
    """
    shares = history.shares(end)
    if len(shares) < LEAST_HISTORY:
        return {month: Fraction(points) for month, points in made.items()}
    later = _later(shares)
    before = history.redeemed_before(end)
    return {
        month: before.get(month, 0) + points * later[min(max(end - month, 0), len(shares))]
        for month, points in made.items()
    }


def _later(shares: list[Fraction]) -> list[Fraction]:
    """For each age the share that is redeemed at it or later; behind the last known age nothing is."""
    later = [Fraction(0)]
    for share in reversed(shares):
        later.append(later[-1] + max(share, Fraction(0)))
    return later[::-1]
