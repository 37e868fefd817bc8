"""A simulation as a page shows it: its days stand in the address, so it can be kept, sent and reloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from loyalty.earning.simulation import Comparison
from loyalty.kit.database import clock_of
from loyalty.kit.errors import Refusal
from loyalty.pages.sentences import sentence_of
from loyalty.pages.visit import Visit
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.simulations.service import Simulation, SimulationService
from pages.charts import Chart, Series
from pages.filters import FIRST_DAY, LAST_DAY, Filters, read_filters
from pages.formats import axis_day
from pages.forms import Mistake, Money
from pages.translations import gettext as _
from pages.translations import lazy

COST = "cost"
_DEFAULT_DAYS = 30
_DEFAULT_COST = "0.01"
_COST = Money(lazy("Cost of a point"), least=0, most=10**9)
_FIELDS = {"/first_day": FIRST_DAY, "/last_day": LAST_DAY}


@dataclass(frozen=True, slots=True)
class Shown:
    """The days that were asked for, and what was found."""

    filters: Filters
    found: Simulation | None = None
    chart: Chart | None = None
    by_rule: Sequence[tuple[str, int, int]] = field(default_factory=tuple)
    """Each rule with its points in force and under the candidate."""

    @property
    def status(self) -> int:
        """The HTTP status of the page."""
        return self.filters.status


def simulation_of(visit: Visit, kept: KeptRuleSet) -> Shown:
    """Runs the simulation for which the address asks. Without days it offers the last thirty, and runs nothing."""
    asked = visit.request.query_params
    if not any(asked.get(name) for name in (FIRST_DAY, LAST_DAY, COST)):
        yesterday = clock_of(visit.session).now().astimezone(visit.parts.zone).date() - timedelta(days=1)
        first = yesterday - timedelta(days=_DEFAULT_DAYS - 1)
        offered = {FIRST_DAY: first.isoformat(), LAST_DAY: yesterday.isoformat(), COST: _DEFAULT_COST}
        return Shown(Filters(offered))
    filters = read_filters(asked, texts={COST: 20}, days=True)
    mistakes = dict(filters.mistakes)
    for name in (FIRST_DAY, LAST_DAY, COST):
        if not filters[name]:
            mistakes.setdefault(name, _("Fill this in."))
    cost = 0
    try:
        cost = _COST.parse(filters[COST]) if filters[COST] else 0
    except Mistake as mistake:
        mistakes.setdefault(COST, str(mistake))
    if mistakes or filters.first_day is None or filters.last_day is None:
        return Shown(_marked(filters, mistakes))
    try:
        found = SimulationService(visit.session).run(
            kept.id, filters.first_day, filters.last_day, micros_per_point=cost
        )
    except Refusal as error:
        return Shown(_marked(filters, {_FIELDS.get(error.pointer, LAST_DAY): sentence_of(error)}))
    return Shown(filters, found, _chart(found.comparison), _by_rule(found.comparison))


def _marked(filters: Filters, mistakes: Mapping[str, str]) -> Filters:
    return Filters(filters.typed, filters.asked, mistakes, filters.first_day, filters.last_day)


def _chart(found: Comparison) -> Chart:
    series: dict[str, Any] = {
        str(_("Candidate")): [one.candidate for one in found.days],
        str(_("In force")): [one.live for one in found.days],
    }
    lines = [Series(name, values, dashed=at > 0) for at, (name, values) in enumerate(series.items())]
    return Chart(_("Points a day"), [axis_day(one.day) for one in found.days], lines)


def _by_rule(found: Comparison) -> list[tuple[str, int, int]]:
    live, candidate = dict(found.live.by_rule), dict(found.candidate.by_rule)
    return [(rule, live.get(rule, 0), candidate.get(rule, 0)) for rule in {**candidate, **live}]
