"""Rule sets: written as drafts, published once, and never changed."""

from __future__ import annotations

import json

from loyalty.api.fields import Decision
from loyalty.api.rule_sets.schemas import ComparisonView, NewRuleSet, RuleSetDetailView, RuleSetView, Trial
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.rule_sets.service import RuleSetService
from loyalty.simulations.service import SimulationService

router = api("rule sets")


@router.get("/v1/rule-sets")
def list_rule_sets(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[RuleSetView]:
    """Versions of rule sets, newest first."""
    return shown(RuleSetService(call.session).page(cursor=cursor, limit=limit), RuleSetView.of)


@router.get("/v1/rule-sets/{rule_set}")
def get_rule_set(call: Calling, rule_set: str) -> RuleSetDetailView:
    """One version, with its rules."""
    return RuleSetDetailView.whole(RuleSetService(call.session).get(rule_set))


@router.post("/v1/rule-sets", status_code=201)
def add_rule_set(call: Calling, new: NewRuleSet) -> RuleSetDetailView:
    """Keep a draft. What could not be evaluated is refused now, with the place of each mistake."""
    kept = RuleSetService(call.session).add(json.dumps(new.rules), new.program, actor=call.actor)
    return RuleSetDetailView.whole(kept)


@router.post("/v1/rule-sets/{rule_set}/publish")
def publish_rule_set(call: Calling, rule_set: str, decision: Decision) -> RuleSetView:
    """Put a draft into force, from its first day on. Its examples are run before."""
    return RuleSetView.of(RuleSetService(call.session).publish(rule_set, actor=call.actor, reason=decision.reason))


@router.post("/v1/rule-sets/{rule_set}/simulate")
def simulate_rule_set(call: Calling, rule_set: str, trial: Trial) -> ComparisonView:
    """Try a version on the recorded sales of some days, beside the one in force on the last of them. Nothing is awarded."""
    found = SimulationService(call.session).run(
        rule_set, trial.first_day, trial.last_day, micros_per_point=trial.micros_per_point
    )
    return ComparisonView.of(found.comparison, against=found.live.id)
