"""Rule sets: what plans have, examples, and simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from loyalty.earning.bounds import EVEN, LARGEST_COEFFICIENT
from loyalty.earning.examples import check
from loyalty.earning.rule_sets import RuleSet
from loyalty.pages.plans.kind import PlanKind
from loyalty.pages.plans.routes import kept_of, plan_router, title_of
from loyalty.pages.rule_sets.simulation import simulation_of
from loyalty.pages.visit import Visit, Visiting
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import RuleSetService
from loyalty.seasons.fund import USUAL_COEFFICIENT, with_fund
from loyalty.seasons.service import SeasonService
from pages.translations import gettext as _
from pages.translations import lazy


def _examples(_visit: Visit, _kept: KeptRuleSet, rules: RuleSet) -> Mapping[str, Any]:
    """The examples, each with whether it comes out as it says."""
    problems = check(rules)
    wrong = {problem.place for problem in problems}
    return {
        "examples": [(example.name, f"examples[{at}]" not in wrong) for at, example in enumerate(rules.examples)],
        "problems": problems,
    }


def _with_fund(visit: Visit, plan: dict[str, Any]) -> dict[str, Any]:
    """With a fund for the quiet weeks of the station that the address names, if it names one."""
    asked = visit.request.query_params
    station = asked.get("fund")
    if not station:
        return plan
    typed = asked.get("coefficient", "")
    is_one = typed.isascii() and typed.isdigit() and EVEN < int(typed[:9]) <= LARGEST_COEFFICIENT
    coefficient = int(typed) if is_one else USUAL_COEFFICIENT
    return with_fund(plan, station, SeasonService(visit.session).suggest(station, coefficient))


KIND = PlanKind(
    service=RuleSetService,
    below="/rule-sets",
    templates="rule_sets",
    title=lazy("Rule sets"),
    about=lazy("Why customers earn points. A published version never changes; the one that was published last counts."),
    draft=lazy("A rule set as text. It is checked when you keep it, and earns nothing before a manager publishes it."),
    example={
        "id": "fuel-club",
        "name": {"en": "Fuel club", "zh": "加油会员"},
        "rules": [
            {
                "id": "litre",
                "name": {"en": "points by the litre", "zh": "加油积分"},
                "condition": "line.category == 'fuel'",
                "effect": {"kind": "per_litre", "points": 5},
            }
        ],
    },
    context=_examples,
    begun=_with_fund,
)
router = plan_router(KIND)


@router.get("/{rule_set}/simulation")
def simulation(visit: Visiting) -> Response:
    """What a version would have given for some days' sales, beside what is in force."""
    kept = kept_of(visit, KIND)
    shown = simulation_of(visit, kept)
    return visit.page(
        "rule_sets/simulation.html",
        status=shown.status,
        kept=kept,
        title=title_of(kept),
        shown=shown,
        crumbs=[(title_of(kept), f"/staff/rule-sets/{kept.id}"), (_("Simulation"), None)],
    )
