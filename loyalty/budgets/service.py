"""Rules of budgets: whoever pays holds them first, in the order of their names, so no two pay what only one of them can have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy.orm import Session

from loyalty.budgets.models import BudgetUse
from loyalty.budgets.repository import BudgetRepository
from loyalty.earning.awards import Taking
from loyalty.kit.database import lock_all


class BudgetService:
    """Budgets in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._budgets = BudgetRepository(session)

    def hold(self, budgets: Iterable[tuple[str, str]]) -> None:
        """Lets nobody else pay out of these budgets (rule set and rule) until the transaction ends."""
        lock_all(self._session, (budget_name(*one) for one in budgets))

    def take(self, rule_set: str, taking: Taking, points: int) -> None:
        """Books what is paid, or what comes back (points below zero)."""
        _take(self._budgets.use(rule_set, taking.rule, taking.period), taking, points)
        self._budgets.flush()

    def uses(self, rule_set: str, rules: Iterable[str], periods: Iterable[str]) -> Sequence[BudgetUse]:
        """What budgets have paid, as it is now."""
        return self._budgets.uses(rule_set, rules, periods)


class BudgetGroup:
    """The budgets of a group of sales: held and read at once, and changed in memory until the session writes."""

    def __init__(self, session: Session, wanted: Collection[tuple[str, str]], periods: Collection[str]) -> None:
        self._budgets = BudgetRepository(session)
        lock_all(session, (budget_name(*one) for one in wanted))
        self._uses: dict[tuple[str, str], dict[str, BudgetUse]] = {one: {} for one in wanted}
        for rule_set in sorted({rule_set for rule_set, _ in wanted}):
            for use in self._budgets.uses(rule_set, {rule for name, rule in wanted if name == rule_set}, periods):
                self._uses[rule_set, use.rule][use.period] = use

    def uses(self, rule_set: str, rule: str) -> Collection[BudgetUse]:
        """What a budget has paid."""
        return self._uses[rule_set, rule].values()

    def take(self, rule_set: str, taking: Taking, points: int) -> None:
        """Books what is paid."""
        uses = self._uses[rule_set, taking.rule]
        if taking.period not in uses:
            uses[taking.period] = self._budgets.new(rule_set, taking.rule, taking.period)
        _take(uses[taking.period], taking, points)


def budget_name(rule_set: str, rule: str) -> str:
    """The name that is held by whoever pays out of a budget."""
    return f"budget:{rule_set}:{rule}"


def _take(use: BudgetUse, taking: Taking, points: int) -> None:
    use.points += points
    use.is_closed = use.is_closed or taking.closes
    assert 0 <= use.points <= taking.limit or points < 0, "nobody takes more than is left"
