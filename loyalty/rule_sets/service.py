"""Rule sets: plans whose examples are run before they are published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from loyalty.earning.examples import check
from loyalty.earning.rule_sets import RuleSet, read_rule_set, write_rule_set
from loyalty.plans.reading import Problem
from loyalty.plans.service import PlanService
from loyalty.rule_sets.models import KeptRuleSet

LONGEST_RULE_ID: Final = 48
"""The most characters of a rule's id: it is part of a document number in the network."""


class RuleSetService(PlanService[KeptRuleSet, RuleSet]):
    """Rule sets in one transaction."""

    ROW = KeptRuleSet
    PREFIX = "rls"
    KIND = "rule_set"
    FIELD = "/rules"
    read = staticmethod(read_rule_set)
    write = staticmethod(write_rule_set)

    def add(self, content: str, program: str, *, actor: str) -> KeptRuleSet:
        """Keeps a draft that awards points of a program. Raises what `keep` raises."""
        return self.keep(content, actor=actor, program=program)

    def faults(self, plan: RuleSet) -> Sequence[Problem]:
        """Ids of rules that do not fit into a document number."""
        return [
            Problem(f"rules[{at}].id", f"must have at most {LONGEST_RULE_ID} characters, not {len(rule.id)}")
            for at, rule in enumerate(plan.rules)
            if len(rule.id) > LONGEST_RULE_ID
        ]

    def faults_before_publishing(self, kept: KeptRuleSet) -> Sequence[Problem]:
        """Examples that fail."""
        return check(content_of(kept))


def content_of(kept: KeptRuleSet) -> RuleSet:
    """The rule set, ready to be evaluated."""
    return RuleSetService.plan_of(kept)
