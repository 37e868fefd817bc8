"""Tier schemes: what plans have, levels in words, and who would move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
from pages.translations import gettext as _
from pages.translations import lazy, ngettext

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
    draft=lazy("All levels as text, from the lowest to the highest. Keep it, and look who would move before it counts."),
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


@dataclass(frozen=True, slots=True)
class Move:
    """Customers who would go from one tier to another one."""

    crowd: Crowd
    before: str
    """The name of the tier of now; empty if they have none."""
    after: str
    change: int
    """By how many levels they go up, or down (below zero)."""


@router.get("/{tier_scheme}/preview")
def preview(visit: Visiting) -> Response:
    """Who would have which tier today: the numbers, and the customers of one move."""
    kept, service = kept_of(visit, KIND), TierService(visit.session)
    moves = [_move(visit, kept, crowd) for crowd in service.preview(kept.id)]
    asked = visit.request.query_params
    chosen = (asked.get("from", ""), asked.get("to", ""))
    move = next((one for one in moves if (one.crowd.from_tier, one.crowd.to_tier) == chosen), None)
    movers, following = (
        service.crowd(kept.id, chosen, cursor=cursor_of(visit.request), limit=_ROWS) if move else ((), None)
    )
    return visit.page(
        "tiers/preview.html",
        kept=kept,
        title=title_of(kept),
        moves=sorted(moves, key=lambda one: (not one.change, -one.change)),
        up=sum(one.crowd.count for one in moves if one.change > 0),
        down=sum(one.crowd.count for one in moves if one.change < 0),
        same=sum(one.crowd.count for one in moves if not one.change),
        move=move,
        movers=[(mover.customer, measures_of(mover.measures)) for mover in movers],
        pager=pager_of(visit.request, following),
        crumbs=[(title_of(kept), f"/staff/tiers/{kept.id}"), (_("Who would move"), None)],
    )


def _move(visit: Visit, kept: KeptTierScheme, crowd: Crowd) -> Move:
    """A move with the names of its levels. Whoever has a level that there is not, or none, begins from the lowest."""
    scheme = scheme_of(kept)
    live = TierSchemeService(visit.session).in_force_at(clock_of(visit.session).now())
    names = {level.id: said(level.name) for one in (live, kept) if one for level in scheme_of(one).levels}
    before, after = crowd.from_tier, crowd.to_tier
    change = scheme.rank_of(after) - scheme.rank_of(before)
    return Move(crowd, names.get(before, before), names[after], change)
