"""What will be left of an account's lots once everything pending has drawn on them: a pure function, like the replay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clearing.ledger.lots.replay import Holdings, Portion


class DatedDraw(NamedTuple):
    """Points that something pending will take from an account, as on a day."""

    day: int
    """The network day that decides which lots are over: that of the hold, or today."""
    points: int


def left_over(portions: Iterable[Portion], draws: Iterable[DatedDraw], today: int) -> int:
    """Points of lots that are over today and that none of the draws will take.

    The draws take in the order of their days, each by the rules of the replay, and never more than is there: a reorganisation may
    have taken points away on which a hold or an order had counted.
    """
    holdings = Holdings()
    for portion in portions:
        holdings.add(portion)
    left = sum(holdings.points.values())
    for draw in sorted(draws):
        points = min(draw.points, left)
        holdings.take(points, [], draw.day, over_first=False)
        left -= points
    return sum(points for origin, points in holdings.points.items() if origin.is_over(today))
