"""Gives what the sales of a group bring to its end, by the newest version of each task that is in force on the day.

Whoever calls holds the customers. What they have had is read at once; a sale that is alone is a group of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from loyalty.bonuses.models import Cause
from loyalty.bonuses.service import BonusGroup, BonusService, Grant
from loyalty.budgets.service import BudgetGroup
from loyalty.customers.models import Customer
from loyalty.earning.awards import Taking
from loyalty.earning.reasons import Text
from loyalty.sales.reading import Days, History
from loyalty.sales.types import Sale
from loyalty.tasks.models import KeptTask
from loyalty.tasks.service import BUDGET, TaskPlanService, budget_of, reward_of, task_of
from loyalty.tasks.tasks import Reward, Round, Stage, Task


class _Running(NamedTuple):
    """A task on a business day, with the round to which the day belongs."""

    kept: KeptTask
    task: Task
    round: Round

    @property
    def prefix(self) -> str:
        """What the keys of the round's bonuses begin with."""
        return f"{self.task.id}:{self.round.key}:"


class TaskGroup:
    """The tasks for which the sales of a group count."""

    def __init__(self, session: Session, sales: Sequence[Sale], bonuses: BonusGroup) -> None:
        self._bonuses = bonuses
        current = TaskPlanService(session).current_on(sale.business_day for sale in sales)
        self._running = {
            day: [_Running(one, task, task.round_of(day)) for one in kept for task in [task_of(one)]]
            for day, kept in current.items()
        }
        counting = [(sale.customer, running) for sale in sales for running in self._counting(sale)]
        self._given: dict[tuple[str, str], set[Reward]] = {}
        customers = {customer for customer, _ in counting}
        prefixes = {running.prefix for _, running in counting}
        for customer, _, key in BonusService(session).keys_beginning(customers, [Cause.TASK], sorted(prefixes)):
            self._given_to(customer, key.rsplit(":", 2)[0] + ":").add(reward_of(key))
        self.wanted: list[Days] = [
            (customer, running.round.first, running.round.last)
            for customer, running in counting
            if not self._is_over(customer, running)
        ]
        """The days of whose sales the history has to know."""
        limited = [(task, found.last) for _, (_, task, found) in counting if task.budget is not None]
        budgets = {(budget_of(task), BUDGET) for task, _ in limited}
        periods = {period for task, day in limited for period, _ in _limits(task, day)}
        self._budgets = BudgetGroup(session, budgets, periods) if budgets else None

    def reward(self, customer: Customer, sale: Sale, history: History) -> None:
        """Gives what a sale, which the history has by now, has brought to its end."""
        for running in self._counting(sale):
            if running.task.tiers is None or customer.tier in running.task.tiers:
                self._give(customer.id, running, history)

    def _counting(self, sale: Sale) -> Iterator[_Running]:
        """The tasks that count something of a sale."""
        for running in self._running[sale.business_day]:
            if running.task.counted(sale) is not None:
                yield running

    def _give(self, customer: str, running: _Running, history: History) -> None:
        if self._is_over(customer, running):
            return
        kept, task, found = running
        given = self._given_to(customer, running.prefix)
        for reward in task.rewards(history.left(customer, found.first, found.last)):
            stage = task.stage(reward.at)
            if reward in given or not self._pays(task, found, stage):
                continue
            given.add(reward)
            self._bonuses.grant(
                customer,
                Grant(
                    cause=Cause.TASK,
                    key=f"{running.prefix}{reward.time}:{reward.at}",
                    program=kept.program,
                    points=stage.points,
                    reason=_reason(task, stage),
                    plan=kept.id,
                    days=(found.first, found.last),
                    facts={"task": task.id, "version": task.version, "round": found.key},
                ),
            )

    def _is_over(self, customer: str, running: _Running) -> bool:
        """Whether a customer has had all that a round gives: their sales need not be read."""
        given = self._given_to(customer, running.prefix)
        task = running.task
        return all(Reward(time, stage.at) in given for time in range(task.times) for stage in task.stages)

    def _given_to(self, customer: str, prefix: str) -> set[Reward]:
        return self._given.setdefault((customer, prefix), set())

    def _pays(self, task: Task, found: Round, stage: Stage) -> bool:
        """Whether the budget has a stage's points left; then they are taken. What does not fit now may fit later."""
        if self._budgets is None or task.budget is None:
            return True
        paid = {use.period: use.points for use in self._budgets.uses(budget_of(task), BUDGET)}
        limits = _limits(task, found.last)
        if any(paid.get(period, 0) + stage.points > limit for period, limit in limits):
            return False
        for period, limit in limits:
            self._budgets.take(budget_of(task), Taking(BUDGET, period, stage.points, limit), stage.points)
        return True


def _limits(task: Task, day: date) -> Sequence[tuple[str, int]]:
    return () if task.budget is None else task.budget.limits(day)


def _reason(task: Task, stage: Stage) -> Text:
    return Text(f"{task.name.en}: {stage.at} reached", f"{task.name.zh}：已达到 {stage.at}")
