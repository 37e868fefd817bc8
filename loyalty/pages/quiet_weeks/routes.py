"""Quiet weeks: a station's year as a chart, its lowest third, and a draft of rules with a fund for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fastapi.responses import Response

from loyalty.earning.bounds import EVEN, LARGEST_COEFFICIENT
from loyalty.kit.database import clock_of
from loyalty.kit.errors import Refusal
from loyalty.pages.sentences import sentence_of
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import RuleSetService
from loyalty.seasons.fund import USUAL_COEFFICIENT
from loyalty.seasons.quiet_weeks import YearsWeek
from loyalty.seasons.service import SeasonService, SuggestedYear
from pages.charts import Chart, money_series
from pages.filters import Filters, read_filters
from pages.formats import axis_day
from pages.forms.fields import plain_number
from pages.translations import gettext as _

router = page_router("/quiet-weeks")
STATION, COEFFICIENT = "station", "coefficient"


@dataclass(frozen=True, slots=True)
class Shown:
    """The station that was asked for, and what was found."""

    filters: Filters
    found: SuggestedYear | None = None
    coefficient: int = USUAL_COEFFICIENT


@router.get("")
def quiet_weeks(visit: Visiting) -> Response:
    """A station's coming year."""
    shown = _shown(visit)
    rules = None if shown.found is None else _in_force(visit)
    return visit.page(
        "quiet_weeks/year.html",
        status=shown.filters.status,
        shown=shown,
        chart=None if shown.found is None else _chart(shown.found.weeks),
        rules=rules,
        may_write=rules is not None and visit.may("POST", "/rule-sets/new"),
    )


def _shown(visit: Visit) -> Shown:
    """What the address asks for. Without a station nothing is looked for."""
    asked = visit.request.query_params
    if not asked.get(STATION) and not asked.get(COEFFICIENT):
        return Shown(Filters({COEFFICIENT: _times(USUAL_COEFFICIENT)}))
    filters = read_filters(asked, texts={STATION: 20, COEFFICIENT: 8})
    mistakes = dict(filters.mistakes)
    if not filters[STATION]:
        mistakes.setdefault(STATION, _("Fill this in."))
    coefficient = _coefficient(filters[COEFFICIENT])
    if coefficient is None:
        mistakes.setdefault(COEFFICIENT, _("Write a number above 1, such as 1.5."))
    if mistakes or coefficient is None:
        return Shown(Filters(filters.typed, filters.asked, mistakes))
    try:
        found = SeasonService(visit.session).year(filters[STATION], coefficient)
    except Refusal as error:
        return Shown(Filters(filters.typed, filters.asked, {STATION: sentence_of(error)}))
    return Shown(filters, found, coefficient)


def _coefficient(text: str) -> int | None:
    """What was typed, in basis points; None if no fund has it."""
    try:
        typed = Fraction(plain_number(text)) * EVEN if text else Fraction(USUAL_COEFFICIENT)
    except (ValueError, ZeroDivisionError):
        return None
    return int(typed) if typed.denominator == 1 and EVEN < typed <= LARGEST_COEFFICIENT else None


def _times(coefficient: int) -> str:
    whole, rest = divmod(coefficient, EVEN)
    decimals = f"{rest:04}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else f"{whole}"


def _in_force(visit: Visit) -> KeptRuleSet | None:
    return RuleSetService(visit.session).in_force_at(clock_of(visit.session).now())


def _chart(weeks: Sequence[YearsWeek]) -> Chart:
    """The year, week by week, with the lowest third marked."""
    spends = [week.spend_micros for week in weeks]
    quiet = [week.spend_micros if week.is_quiet else None for week in weeks]
    series = [
        money_series(_("Sold in the week"), spends),
        money_series(_("One of the lowest third"), quiet, marks=True),
    ]
    return Chart(_("What the station sells, week by week"), [axis_day(week.first_day) for week in weeks], series)
