"""What budgets of rules and tasks have paid this month and in all, against their limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi.responses import Response

from loyalty.budgets.service import BudgetService
from loyalty.kit.database import clock_of
from loyalty.kit.paging import LARGEST_PAGE
from loyalty.pages.names import said
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.plans.fields import Limits
from loyalty.plans.models import KeptPlan
from loyalty.plans.service import PlanService
from loyalty.rule_sets.service import RuleSetService, content_of
from loyalty.tasks.service import BUDGET, TaskPlanService, budget_of, task_of

router = page_router("/budgets")
_ALL = "all"
_ALMOST = 9
"""Tenths of a limit from which on it is almost reached."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What a budget has paid in one of its periods.

    Attributes:
        name: What the rule or the task is called.
        place: The version that has it, and which rule of it that is.
        path: The address of the version, below the root.
        in_all: Whether its period has no end; otherwise it is this month.
        paid: In points, less what returns gave back.
        limit: The most that it pays.
        is_closed: Whether it has ended before the limit.
    """

    name: str
    place: str
    path: str
    in_all: bool
    paid: int
    limit: int
    is_closed: bool

    @property
    def tone(self) -> str:
        """How urgent it looks."""
        if self.is_closed or self.paid >= self.limit:
            return "bad"
        return "warn" if self.paid * 10 >= self.limit * _ALMOST else "good"


@dataclass(frozen=True, slots=True)
class _Budget:
    """A budget as it is written: `holder` and `rule` say which it is."""

    holder: str
    rule: str
    limits: Limits
    name: str
    place: str
    path: str


@router.get("")
def budgets(visit: Visiting) -> Response:
    """Every budget of the rules and tasks that are published and not over."""
    today = clock_of(visit.session).now().astimezone(visit.parts.zone).date()
    rows = [
        spending
        for budget in (*_of_rules(visit, today), *_of_tasks(visit, today))
        for spending in _spendings(visit, budget, today)
    ]
    return visit.page("budgets/budgets.html", rows=rows, month=f"{today:%Y-%m}")


def _spendings(visit: Visit, budget: _Budget, today: date) -> Iterator[Spending]:
    limits = budget.limits.limits(today)
    uses = BudgetService(visit.session).uses(budget.holder, [budget.rule], [period for period, _limit in limits])
    by_period = {use.period: use for use in uses}
    for period, limit in limits:
        use = by_period.get(period)
        yield Spending(
            name=budget.name,
            place=budget.place,
            path=budget.path,
            in_all=period == _ALL,
            paid=use.points if use else 0,
            limit=limit,
            is_closed=bool(use and use.is_closed),
        )


def _of_rules(visit: Visit, today: date) -> Iterator[_Budget]:
    for kept in _newest(RuleSetService(visit.session), today):
        for rule in content_of(kept).earning:
            if rule.budget is not None:
                place = f"{kept.name} {kept.version} · {rule.id}"
                yield _Budget(kept.name, rule.id, rule.budget, said(rule.name), place, f"/rule-sets/{kept.id}")


def _of_tasks(visit: Visit, today: date) -> Iterator[_Budget]:
    for kept in _newest(TaskPlanService(visit.session), today):
        task = task_of(kept)
        if task.budget is not None:
            place = f"{kept.name} {kept.version}"
            yield _Budget(budget_of(task), BUDGET, task.budget, said(task.name), place, f"/tasks/{kept.id}")


def _newest(service: PlanService[Any, Any], today: date) -> Iterator[Any]:
    """Of each plan the version that was published last: versions share their budgets, and the newest has the limits."""
    seen: set[str] = set()
    kept, _more = service.page(cursor=None, limit=LARGEST_PAGE)
    for one in sorted(kept, key=_published, reverse=True):
        is_over = one.ends_on is not None and one.ends_on < today
        if one.published_at is not None and not is_over and one.name not in seen:
            seen.add(one.name)
            yield one


def _published(kept: KeptPlan) -> str:
    return kept.published_at.isoformat() if kept.published_at else ""
