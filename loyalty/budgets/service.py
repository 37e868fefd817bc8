"""Rules of budgets: whoever pays holds them first, in the order of their names, so no two pay what only one of them can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from loyalty.budgets.models import BudgetUse
from loyalty.budgets.repository import BudgetRepository
from loyalty.earning.awards import Taking
from loyalty.kit.database import lock


class BudgetService:
    """Budgets in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._budgets = BudgetRepository(session)

    def hold(self, rule_set: str, rules: Iterable[str]) -> None:
        """Lets nobody else pay out of these budgets until the transaction ends."""
        for rule in sorted(rules):
            lock(self._session, f"budget:{rule_set}:{rule}")

    def take(self, rule_set: str, taking: Taking, points: int) -> None:
        """Books what is paid, or what comes back (points below zero)."""
        use = self._budgets.use(rule_set, taking.rule, taking.period)
        use.points += points
        use.is_closed = use.is_closed or taking.closes
        assert 0 <= use.points <= taking.limit or points < 0, "nobody takes more than is left"
        self._budgets.flush()

    def uses(self, rule_set: str, rules: Iterable[str], periods: Iterable[str]) -> Sequence[BudgetUse]:
        """What budgets have paid, as it is now."""
        return self._budgets.uses(rule_set, rules, periods)
