"""SQL of budgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.budgets.models import BudgetUse


class BudgetRepository:
    """Budgets in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def flush(self) -> None:
        """Writes what has changed."""
        self._session.flush()

    def use(self, rule_set: str, rule: str, period: str) -> BudgetUse:
        """What a budget has paid in a period, as it is now; nothing, added, if there is no row."""
        use = self._session.get(BudgetUse, (rule_set, rule, period), populate_existing=True)
        return use or self.new(rule_set, rule, period)

    def new(self, rule_set: str, rule: str, period: str) -> BudgetUse:
        """A budget that has paid nothing in a period, added."""
        use = BudgetUse(rule_set=rule_set, rule=rule, period=period, points=0, is_closed=False)
        self._session.add(use)
        return use

    def uses(self, rule_set: str, rules: Iterable[str], periods: Iterable[str]) -> Sequence[BudgetUse]:
        """What budgets have paid, as it is now."""
        query = select(BudgetUse).where(
            BudgetUse.rule_set == rule_set, BudgetUse.rule.in_([*rules]), BudgetUse.period.in_([*periods])
        )
        return self._session.scalars(query.execution_options(populate_existing=True)).all()
