"""Tier schemes: what plans have, levels in words, and who would move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fastapi.responses import Response

from loyalty.kit.database import clock_of
from loyalty.pages.measures import measures_of, needed
from loyalty.pages.names import said
from loyalty.pages.plans.kind import PlanKind
from loyalty.pages.plans.routes import kept_of, plan_router, title_of
from loyalty.pages.visit import Visit, Visiting
from loyalty.tiers.models import KeptTierScheme
from loyalty.tiers.schemes import Rolling, TierScheme
from loyalty.tiers.service import Crowd, TierSchemeService, TierService, scheme_of
from pages.formats import rate
from pages.paging import cursor_of, pager_of
from pages.translations import Text, lazy, ngettext
from pages.translations import gettext as _

_ROWS = 50
_EVEN = 10_000


def _says(_visit: Visit, _kept: KeptTierScheme, scheme: TierScheme) -> Mapping[str, Any]:
    """The levels, and what counts for them, in words."""
    return {
        "window": _window(scheme),
        "levels": [
            {
                "level": level,
                "needs": None if level.needs is None else needed(level.needs.each, scheme.reached_by),
                "coefficient": rate(level.coefficient, _EVEN),
            }
            for level in scheme.levels
        ],
    }


def _window(scheme: TierScheme) -> str:
    if isinstance(scheme.window, Rolling):
        days = scheme.window.days
        return ngettext("the last day", "the last %(number)s days", days) % {"number": days}
    return {
        "month": _("this month, or the whole month before"),
        "quarter": _("this quarter, or the whole quarter before"),
        "year": _("this year, or the whole year before"),
    }[scheme.window.each]


KIND = PlanKind(
    service=TierSchemeService,
    below="/tiers",
    templates="tiers",
    title=lazy("Tiers"),
    about=lazy("The levels that customers reach. The scheme that was published last counts."),
    draft=lazy(
        "All levels as text, from the lowest to the highest. Keep it, and look who would move before it counts."
    ),
    example={
        "id": "levels",
        "name": {"en": "Levels", "zh": "会员等级"},
        "window": {"kind": "rolling", "days": 365},
        "reached_by": "any",
        "grace_days": 30,
        "levels": [
            {"id": "bronze", "name": {"en": "Bronze", "zh": "青铜"}},
            {
                "id": "silver",
                "name": {"en": "Silver", "zh": "白银"},
                "needs": {"spend_fen": 500_000, "visits": 24},
                "coefficient": 15_000,
                "benefits": [{"en": "a free wash a month", "zh": "每月一次免费洗车"}],
            },
            {
                "id": "gold",
                "name": {"en": "Gold", "zh": "黄金"},
                "needs": {"spend_fen": 2_000_000},
                "coefficient": 20_000,
            },
        ],
    },
    context=_says,
    has_program=False,
)
router = plan_router(KIND)


class Direction(StrEnum):
    """Where a move leads."""

    UP = "up"
    DOWN = "down"
    OTHER = "other"
    """To a level of which nobody can say whether it is higher: the schemes have not both of them."""
    STAY = "stay"


_DIRECTIONS: Final[Mapping[Direction, tuple[Text, Text, str]]] = {
    Direction.UP: (lazy("Go up"), lazy("up"), "good"),
    Direction.DOWN: (lazy("Go down"), lazy("down"), "warn"),
    Direction.OTHER: (lazy("Get another level"), lazy("another level"), "info"),
    Direction.STAY: (lazy("Stay"), lazy("stay"), ""),
}
"""What the customers do, what the move is called, and how urgent it looks."""


@dataclass(frozen=True, slots=True)
class Move:
    """Customers who would go from one tier to another one."""

    crowd: Crowd
    before: str
    """The name of the tier of now; empty if they have none."""
    after: str
    direction: Direction


@router.get("/{tier_scheme}/preview")
def preview(visit: Visiting) -> Response:
    """Who would have which tier today: the numbers, and the customers of one move."""
    kept, service = kept_of(visit, KIND), TierService(visit.session)
    live = TierSchemeService(visit.session).in_force_at(clock_of(visit.session).now())
    schemes = [scheme_of(one) for one in (kept, live) if one is not None]
    moves = [_move(schemes, crowd) for crowd in service.preview(kept.id)]
    asked = visit.request.query_params
    chosen = (asked.get("from", ""), asked.get("to", ""))
    move = next((one for one in moves if (one.crowd.from_tier, one.crowd.to_tier) == chosen), None)
    movers, following = (
        service.crowd(kept.id, chosen, cursor=cursor_of(visit.request), limit=_ROWS) if move else ((), None)
    )
    order = [*_DIRECTIONS]
    return visit.page(
        "tiers/preview.html",
        kept=kept,
        title=title_of(kept),
        moves=sorted(moves, key=lambda one: order.index(one.direction)),
        directions=_DIRECTIONS,
        sums=[
            (title, sum(one.crowd.count for one in moves if one.direction is direction))
            for direction, (title, _name, _tone) in _DIRECTIONS.items()
        ],
        move=move,
        movers=[(mover.customer, measures_of(mover.measures)) for mover in movers],
        pager=pager_of(visit.request, following),
        crumbs=[(title_of(kept), f"/staff/tiers/{kept.id}"), (_("Who would move"), None)],
    )


def _move(schemes: Sequence[TierScheme], crowd: Crowd) -> Move:
    """A move with the names of its levels, which the first scheme has, or else the second."""
    names = {level.id: said(level.name) for scheme in reversed(schemes) for level in scheme.levels}
    return Move(crowd, names.get(crowd.from_tier, crowd.from_tier), names[crowd.to_tier], _direction(schemes, crowd))


def _direction(schemes: Sequence[TierScheme], crowd: Crowd) -> Direction:
    for scheme in schemes:
        levels = [level.id for level in scheme.levels]
        before = crowd.from_tier or levels[0]
        if {before, crowd.to_tier} <= {*levels}:
            steps = levels.index(crowd.to_tier) - levels.index(before)
            return Direction.UP if steps > 0 else Direction.DOWN if steps else Direction.STAY
    return Direction.OTHER
