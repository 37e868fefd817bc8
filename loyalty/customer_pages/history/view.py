"""Sales and bonuses as one list, newest first. Ids tell the order in which both came, so one of them is the place in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.bonuses.service import BonusService
from loyalty.customer_pages.visit import Visit
from loyalty.intake.service import IntakeService
from loyalty.web.story import Gift, Story, gifts_with, stories_of

_ROWS = 20


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that has brought points, or taken them: a sale with all that followed from it, or a bonus."""

    story: Story | None = None
    gift: Gift | None = None


def history_of(visit: Visit, cursor: str | None) -> tuple[Sequence[Happened], str | None]:
    """A page of what has happened, and the cursor of the next one."""
    customer = visit.customer.id
    before = {prefix: None if cursor is None else f"{prefix}_{cursor}" for prefix in ("sal", "bon")}
    sales, _more = IntakeService(visit.session).page(
        customer=customer, outcome=None, cursor=before["sal"], limit=_ROWS + 1
    )
    bonuses, _more = BonusService(visit.session).page(customer, before["bon"], _ROWS + 1)
    places = [_place(sale.id) for sale in sales] + [_place(bonus.id) for bonus in bonuses]
    order = sorted(places, reverse=True)
    shown = set(order[:_ROWS])
    found = {
        _place(one.sale.id): Happened(story=one)
        for one in stories_of(visit, [s for s in sales if _place(s.id) in shown])
    }
    found |= {
        _place(one.bonus.id): Happened(gift=one)
        for one in gifts_with(visit, [bonus for bonus in bonuses if _place(bonus.id) in shown])
    }
    following = order[_ROWS - 1] if len(order) > _ROWS else None
    return [found[place] for place in order[:_ROWS]], following


def _place(identifier: str) -> str:
    return identifier.partition("_")[2]
