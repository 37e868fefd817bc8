"""What was given back of a movement, and who may give something back. One answer for all pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from console.visit import Visit
from tongdui import Movement

_NEWEST = 50


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Reversals of a movement, in their order. `more` is the address of all of them, if these are only the newest."""

    reversals: Sequence[Movement]
    more: str | None


async def given_back(visit: Visit, movement: Movement) -> GivenBack:
    """What was given back of it so far."""
    if not movement.reversed_points:
        return GivenBack((), None)
    listing = visit.client.movements.list(original=movement.id, page_size=_NEWEST, expand=["merchant"])
    page = await listing.page()
    more = f"/movements?{urlencode({'original': movement.id})}" if page.next_cursor else None
    return GivenBack(page.data[::-1], more)


def giver_of(movement: Movement) -> str | None:
    """The merchant that can give a movement back: whoever took its points in, or else whoever's points they are."""
    return movement.receiver or movement.giver


def may_give_back(visit: Visit, movement: Movement) -> bool:
    """Whether something of it is left to give back, and it is this person's to do."""
    is_theirs = visit.seat.merchant is not None and giver_of(movement) == visit.seat.merchant
    return is_theirs and movement.reversible_points > 0 and visit.path_of("reversals") is not None
