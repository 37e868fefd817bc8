"""What tasks count, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loyalty.tasks.goals import AnyGoal, AtOnce, Breadth, InSum, Visits
from pages.formats import count
from pages.translations import Text, lazy
from pages.translations import gettext as _

GOALS: Final[Mapping[str, Text]] = {
    "streak": lazy("days running, each with a visit"),
    "at_once": lazy("visits at which so much was bought at once"),
    "in_sum": lazy("how much was bought in all"),
    "visits:sales": lazy("visits"),
    "visits:days": lazy("days with a visit"),
    "breadth:categories": lazy("different categories"),
    "breadth:articles": lazy("different articles"),
    "breadth:stations": lazy("different stations"),
}
"""By kind and, where it has that, what it is of."""
MEASURES: Final[Mapping[str, Text]] = {
    "litres": lazy("litres"),
    "yuan": lazy("yuan"),
    "kwh": lazy("kilowatt hours"),
    "pieces": lazy("pieces"),
}
ROUNDS: Final[Mapping[str, Text]] = {
    "once": lazy("only once"),
    "day": lazy("each day"),
    "week": lazy("each week"),
    "month": lazy("each month"),
    "year": lazy("each year"),
}


def goal_of(goal: AnyGoal) -> str:
    """What a goal counts."""
    if isinstance(goal, AtOnce):
        values = {"amount": count(goal.amount), "measure": MEASURES[goal.measure]}
        return _("visits at which at least %(amount)s %(measure)s were bought at once") % values
    if isinstance(goal, InSum):
        return _("%(measure)s that were bought in all") % {"measure": MEASURES[goal.measure]}
    is_of = isinstance(goal, Visits | Breadth)
    return str(GOALS[f"{goal.kind}:{goal.of}" if is_of else goal.kind])  # type: ignore[union-attr]
