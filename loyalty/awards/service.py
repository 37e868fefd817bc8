"""Books what returns take back of awards. The wish to move the points is written in the same transaction.

Whoever calls holds the customer: no other sale of theirs is booked meanwhile. Budgets are held here, in the order of their
rules, so no two sales pay what only one of them can have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from loyalty.awards.models import BookedAward, BookedTakeBack
from loyalty.awards.repository import AwardRepository
from loyalty.budgets.service import BudgetService
from loyalty.earning.awards import Award
from loyalty.earning.returns import TakeBack, undo
from loyalty.earning.rule_sets import RuleSet
from loyalty.kit.errors import Contradiction
from loyalty.network.debts import REASON
from loyalty.network.wishes import ReverseWish, WishService
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import content_of
from loyalty.sales.models import Document
from loyalty.sales.types import Return, Sale

_AWARD: TypeAdapter[Award] = TypeAdapter(Award)


class AwardService:
    """Awards in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._awards = AwardRepository(session)
        self._budgets = BudgetService(session)
        self._wishes = WishService(session)

    # ---------------------------------------------------------------- a return takes back

    def to_take_back(
        self, sale_id: str, sale: Sale, earlier: Iterable[Return], returned: Return
    ) -> Sequence[tuple[BookedAward, TakeBack]]:
        """What a return takes back of the awards of its sale, pro rata. Raises InvalidField if more comes back than was sold."""
        rows = {row.rule: row for row in self._awards.of_sale(sale_id)}
        return [(rows[taken.rule], taken) for taken in undo(sale, map(award_of, rows.values()), earlier, returned)]

    def take_back(
        self, return_id: str, document: Document, sold: Document, wanted: Sequence[tuple[BookedAward, TakeBack]]
    ) -> Sequence[BookedTakeBack]:
        """Books what a return takes back, and wishes for it. The documents are the till's numbers of the return and of its sale."""
        self.hold_budgets((award_of(row).rule_set, row.rule) for row, taken in wanted if taken.budgets)
        reason = {
            "en": f"the return of sale {sold.number} of {sold.business_day}",
            "zh": f"{sold.business_day} 第 {sold.number} 号销售的退货",
        }
        return [self._taken(return_id, document, reason, row, taken) for row, taken in wanted]

    def _taken(
        self, return_id: str, document: Document, reason: Mapping[str, str], row: BookedAward, taken: TakeBack
    ) -> BookedTakeBack:
        rule_set = award_of(row).rule_set
        wanted = ReverseWish(
            reference=f"return:{document}:{taken.rule}",
            original=row.reference or "",
            points=taken.points,
            facts={"return": return_id, "award": row.id, REASON: reason},
        )
        is_wished = taken.points > 0 and self._wish_back(wanted)
        booked = BookedTakeBack(
            return_id=return_id, award_id=row.id, points=taken.points, reference=wanted.reference if is_wished else None
        )
        self._awards.add(booked)
        if taken.carried:
            self._carry(row.customer_id, rule_set, taken.rule, taken.carried)
        for taking in taken.budgets:
            self._budgets.take(rule_set, taking, -taking.points)
        return booked

    def _wish_back(self, wanted: ReverseWish) -> bool:
        """Whether there is something to take back: an award that a person has written off was never given."""
        try:
            self._wishes.wish(wanted)
        except Contradiction as error:
            if error.code != "original_written_off":
                raise
            return False
        return True

    # ---------------------------------------------------------------- budgets and remainders

    def hold_budgets(self, rules: Iterable[tuple[str, str]]) -> None:
        """Lets nobody else draw on the budgets of these rules: the name of the rule set, and the rule's id."""
        self._budgets.hold(rules)

    def budgets_of(self, kept: KeptRuleSet) -> set[tuple[str, str]]:
        """The rules of a rule set that have a budget."""
        return budgets_of(content_of(kept))

    def _carry(self, customer: str, rule_set: str, rule: str, change: Fraction) -> None:
        kept = self._awards.remainder(customer, rule_set, rule)
        if kept is None:
            kept = self._awards.new_remainder(customer, rule_set, rule)
        kept.value = str(Fraction(kept.value) + change)
        self._session.flush()

    # ---------------------------------------------------------------- looking

    def of_sale(self, sale_id: str) -> Sequence[BookedAward]:
        """What a sale has earned."""
        return self._awards.of_sale(sale_id)

    def take_backs_of(self, sale_id: str) -> Sequence[BookedTakeBack]:
        """What returns took back of it."""
        return self._awards.take_backs_of(sale_id)

    def of_sales(self, sales: Iterable[str]) -> Sequence[BookedAward]:
        """What these sales have earned."""
        return self._awards.of_sales(sales)

    def take_backs_of_awards(self, awards: Iterable[str]) -> Sequence[BookedTakeBack]:
        """What returns took back of these awards."""
        return self._awards.take_backs_of_awards(awards)


def award_of(row: BookedAward) -> Award:
    """The whole award, as evaluation gave it."""
    return _AWARD.validate_json(json.dumps(row.content))


def budgets_of(rules: RuleSet) -> set[tuple[str, str]]:
    """The rules of a rule set that have a budget: the name of the set, and the rule's id."""
    return {(rules.id, rule.id) for rule in rules.earning if rule.budget is not None}
