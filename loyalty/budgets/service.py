"""Rules of budgets: whoever pays holds them first, in the order of their names, so no two pay what only one of them can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.budgets.models import BudgetUse
from loyalty.earning.awards import Taking
from loyalty.kit.database import lock


class BudgetService:
    """Budgets in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def hold(self, rule_set: str, rules: Iterable[str]) -> None:
        """Lets nobody else pay out of these budgets until the transaction ends."""
        for rule in sorted(rules):
            lock(self._session, f"budget:{rule_set}:{rule}")

    def take(self, rule_set: str, taking: Taking, points: int) -> None:
        """Books what is paid, or what comes back (points below zero)."""
        use = self._session.get(BudgetUse, (rule_set, taking.rule, taking.period), populate_existing=True)
        if use is None:
            use = BudgetUse(rule_set=rule_set, rule=taking.rule, period=taking.period, points=0, is_closed=False)
            self._session.add(use)
        use.points += points
        use.is_closed = use.is_closed or taking.closes
        assert 0 <= use.points <= taking.limit or points < 0, "nobody takes more than is left"
        self._session.flush()

    def uses(self, rule_set: str, rules: Iterable[str], periods: Iterable[str]) -> Sequence[BudgetUse]:
        """What budgets have paid, as it is now."""
        query = select(BudgetUse).where(
            BudgetUse.rule_set == rule_set, BudgetUse.rule.in_([*rules]), BudgetUse.period.in_([*periods])
        )
        return self._session.scalars(query.execution_options(populate_existing=True)).all()
