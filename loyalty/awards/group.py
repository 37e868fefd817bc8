"""Books what the sales of a group earn, one after the other. The wishes to move the points are written in the same transaction.

Whoever calls holds the customers. What is needed is held and read at once, changed in memory, and written at once; a sale that is
alone is a group of one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from fractions import Fraction
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from loyalty.awards.models import CarriedRemainder
from loyalty.awards.repository import AwardRepository
from loyalty.awards.service import budgets_of
from loyalty.budgets.service import BudgetGroup
from loyalty.customers.models import Customer
from loyalty.earning.awards import Award
from loyalty.earning.evaluation import evaluate
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.snapshot import Remainder, Snapshot, Spent
from loyalty.kit.database import Written, clock_of
from loyalty.kit.ids import new_ids
from loyalty.network.issues import IssueGroup
from loyalty.network.members import as_member
from loyalty.network.wishes import IssueWish
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import content_of
from loyalty.sales.before import Before
from loyalty.sales.types import Sale

_AWARD: TypeAdapter[Award] = TypeAdapter(Award)


class AwardGroup:
    """The awards of a group, with the budgets and remainders that they change."""

    def __init__(
        self,
        session: Session,
        customers: Collection[str],
        kept: Collection[KeptRuleSet],
        days: Collection[date],
        issues: IssueGroup,
    ) -> None:
        self._awards = AwardRepository(session)
        self._issues = issues
        self._now = clock_of(session).now()
        self._rows: list[dict[str, Any]] = []
        sets = [content_of(one) for one in kept]
        budgets = {budget for rules in sets for budget in budgets_of(rules)}
        limits = {rule.budget for rules in sets for rule in rules.earning if rule.budget is not None}
        periods = {period for limit in limits for day in days for period, _ in limit.limits(day)}
        self._budgets = BudgetGroup(session, budgets, periods)
        self._remainders: dict[tuple[str, str], dict[str, CarriedRemainder]] = {}
        carrying = {rules.id for rules in sets if any(rule.carry for rule in rules.earning)}
        for one in self._awards.remainders(customers, carrying) if carrying else ():
            self._remainders.setdefault((one.customer_id, one.rule_set), {})[one.rule] = one

    def earn(
        self, sale_id: str, document: str, sale: Sale, customer: Customer, kept: KeptRuleSet, *, before: Before
    ) -> int:
        """Books what a sale earns, and wishes for the points; how many. `document` is the till's number of the sale."""
        rules = content_of(kept)
        awards = evaluate(sale, self._snapshot(customer, rules, sale, before), rules)
        points = 0
        for award in awards:
            reference = f"sale:{document}:{award.rule}" if award.points else None
            self._rows.append(
                {
                    "sale_id": sale_id,
                    "customer_id": customer.id,
                    "rule": award.rule,
                    "rule_set": kept.id,
                    "points": award.points,
                    "reference": reference,
                    "content": Written(_AWARD.dump_json(award).decode()),
                    "created_at": self._now,
                }
            )
            if reference is not None:
                self._issues.add(_wish(reference, kept.program, award, customer, sale_id))
            if award.carries:
                self._carry(customer.id, rules.id, award.rule, award.carried)
            for taking in award.takings:
                self._budgets.take(rules.id, taking, taking.points)
            points += award.points
        return points

    def write(self) -> None:
        """Writes awards and wishes. Their sales are there, and what budgets and remainders are now is written by the session."""
        keys = new_ids("awd", len(self._rows))
        self._awards.insert([{"id": key, **row} for key, row in zip(keys, self._rows, strict=True)])
        self._issues.write()

    def _snapshot(self, customer: Customer, rules: RuleSet, sale: Sale, before: Before) -> Snapshot:
        remainders = self._remainders.get((customer.id, rules.id), {})
        spent = []
        for rule in rules.earning:
            if rule.budget is not None:
                periods = {period for period, _ in rule.budget.limits(sale.business_day)}
                spent += [use for use in self._budgets.uses(rules.id, rule.id) if use.period in periods]
        return Snapshot(
            customer=customer.id,
            tier=customer.tier,
            tier_coefficient=customer.tier_coefficient,
            birthday_month=customer.birth_month or 0,
            first_purchase=before.is_first,
            sales_this_month=before.sales_this_month,
            remainders=tuple([Remainder(one.rule, Fraction(one.value)) for one in remainders.values()]),
            spent=tuple([Spent(use.rule, use.period, use.points, use.is_closed) for use in spent]),
        )

    def _carry(self, customer: str, rule_set: str, rule: str, change: Fraction) -> None:
        remainders = self._remainders.setdefault((customer, rule_set), {})
        if rule not in remainders:
            remainders[rule] = self._awards.new_remainder(customer, rule_set, rule)
        remainders[rule].value = str(Fraction(remainders[rule].value) + change)


def _wish(reference: str, program: str, award: Award, customer: Customer, sale_id: str) -> IssueWish:
    facts = {
        "sale": sale_id,
        "rule": award.rule,
        "rule_set": award.rule_set,
        "version": award.version,
        "reason": award.explain(),
    }
    return IssueWish(
        reference=reference, program=program, member=as_member(customer.id), points=award.points, facts=facts
    )
