"""Takes the bonuses of tasks back with the sales that earned them. Whoever calls holds the customer. `group` gives them.

What was given follows the version that gave it; what is given follows the newest version that is in force on the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy.orm import Session

from loyalty.bonuses.models import Bonus, Cause
from loyalty.bonuses.repository import Tally
from loyalty.bonuses.service import BonusService
from loyalty.budgets.service import BudgetService
from loyalty.customers.models import Customer
from loyalty.earning.awards import Taking
from loyalty.kit.database import clock_of
from loyalty.kit.errors import Malformed
from loyalty.plans.service import PlanService
from loyalty.sales.reading import SalesReader
from loyalty.tasks.models import KeptTask
from loyalty.tasks.tasks import Progress, Reward, Round, Task, read_task, write_task

MOST_SALES: Final = 200_000
"""So many are counted in some minutes."""
BUDGET = "bonus"
"""The name of a task's budget: it has one."""


class TaskPlanService(PlanService[KeptTask, Task]):
    """Tasks as they are written, in one transaction."""

    ROW = KeptTask
    PREFIX = "tsk"
    KIND = "task"
    FIELD = "/task"
    read = staticmethod(read_task)
    write = staticmethod(write_task)

    def current(self, day: date) -> Sequence[KeptTask]:
        """The tasks for a business day: of each, the version that was published last of those in force then."""
        return self.current_on([day])[day]

    def current_on(self, days: Iterable[date]) -> dict[date, Sequence[KeptTask]]:
        """The same for several business days."""
        return {day: _newest(published) for day, published in self.published_on(days).items()}

    def current_at(self, moment: datetime) -> Sequence[KeptTask]:
        """What counts at a moment, each task in its own time zone: of each, the version that was published last."""
        return _newest(self.all_in_force_at(moment))


@dataclass(frozen=True, slots=True)
class CustomersTask:
    """A task as one customer sees it.

    Attributes:
        kept: The version.
        task: The task.
        round: The round that runs.
        progress: How far the customer has come in it.
        is_open: Whether the customer's tier may take part.
        bonuses: What the customer has had in this round.
    """

    kept: KeptTask
    task: Task
    round: Round
    progress: Progress
    is_open: bool
    bonuses: Sequence[Bonus]


@dataclass(frozen=True, slots=True)
class TaskTally:
    """What a task has given and not taken back.

    Attributes:
        round: The round of today.
        finished: How many customers were given the last stage's bonus in it.
        now: What was given in it.
        in_all: What was given in all rounds.
        budgets: Each period of the budget, with what was paid and its limit.
    """

    round: Round
    finished: int
    now: Tally
    in_all: Tally
    budgets: Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class TaskCount:
    """How many customers have come how far in a round.

    Attributes:
        round: The round.
        finished: Who has done the whole task at least once.
        reached: Of the others who have begun: how many have reached each stage, by what it is reached at, and 0 before the first.
    """

    round: Round
    finished: int
    reached: Mapping[int, int]

    @property
    def on_the_way(self) -> int:
        """Who has begun, and not done the whole task."""
        return sum(self.reached.values())


class TaskService:
    """Customers' tasks in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plans = TaskPlanService(session)
        self._bonuses = BonusService(session)
        self._budgets = BudgetService(session)
        self._sales = SalesReader(session)

    def revoke(self, customer: Customer, day: date, *, because: str) -> None:
        """Takes back what the sales of a business day no longer earn, because something of them has come back."""
        for bonus in self._bonuses.depending_on(customer.id, Cause.TASK, day):
            assert bonus.plan is not None, "a task's bonus has its version"
            task = task_of(self._plans.get(bonus.plan))
            found = task.round_of(day)
            if reward_of(bonus.key) not in task.rewards(self._sales.left(customer.id, found.first, found.last)):
                self._bonuses.revoke(bonus, because=because)
                self._pay(task, day, -bonus.points)

    def _pay(self, task: Task, day: date, points: int) -> None:
        if task.budget is None:
            return
        self._budgets.hold([(budget_of(task), BUDGET)])
        for period, limit in task.budget.limits(day):
            self._budgets.take(budget_of(task), Taking(BUDGET, period, points, limit), points)

    # ---------------------------------------------------------------- how a task goes

    def tally(self, kept: KeptTask) -> TaskTally:
        """What a task, in all its versions, has given in the round of today, and in all."""
        task = task_of(kept)
        found = self._round_of(task)
        whole = self._bonuses.tally(Cause.TASK, f"{task.id}:{found.key}:", f":{task.whole}")
        limits = () if task.budget is None else task.budget.limits(found.last)
        uses = self._budgets.uses(budget_of(task), [BUDGET], [period for period, _ in limits])
        paid = {use.period: use.points for use in uses}
        return TaskTally(
            round=found,
            finished=whole.customers,
            now=self._bonuses.tally(Cause.TASK, f"{task.id}:{found.key}:"),
            in_all=self._bonuses.tally(Cause.TASK, f"{task.id}:"),
            budgets=[(period, paid.get(period, 0), limit) for period, limit in limits],
        )

    def count(self, kept: KeptTask) -> TaskCount:
        """How far all customers have come in the round of today, by their sales. Raises Malformed if these are too many."""
        task = task_of(kept)
        found = self._round_of(task)
        if (sales := self._sales.count(found.first, found.last)) > MOST_SALES:
            raise Malformed("too_many_sales", f"the round has {sales} sales, and at most {MOST_SALES} are counted")
        finished, stages = 0, dict.fromkeys([0, *(stage.at for stage in task.stages[:-1])], 0)
        for _customer, left in self._sales.left_of_each(found.first, found.last):
            progress = task.progress(left)
            if progress.times:
                finished += 1
            elif progress.value:
                stages[max(at for at in stages if at <= progress.value)] += 1
        return TaskCount(found, finished, stages)

    def _round_of(self, task: Task) -> Round:
        """The round of today; the first or the last one if the task is not in force today."""
        today = clock_of(self._session).now().astimezone(task.time_zone).date()
        assert task.effective.start is not None, "a task without a beginning is refused when it is read"
        return task.round_of(min(max(today, task.effective.start), task.effective.until or date.max))

    # ---------------------------------------------------------------- looking

    def of(self, customer: Customer) -> Sequence[CustomersTask]:
        """The tasks that run today, and how far a customer has come."""
        now = clock_of(self._session).now()
        return [
            self._seen(customer, kept, now.astimezone(task_of(kept).time_zone).date())
            for kept in self._plans.current_at(now)
        ]

    def _seen(self, customer: Customer, kept: KeptTask, day: date) -> CustomersTask:
        task = task_of(kept)
        found = task.round_of(day)
        return CustomersTask(
            kept=kept,
            task=task,
            round=found,
            progress=task.progress(self._sales.left(customer.id, found.first, found.last)),
            is_open=task.tiers is None or customer.tier in task.tiers,
            bonuses=self._bonuses.given(customer.id, Cause.TASK, f"{task.id}:{found.key}:"),
        )


def task_of(kept: KeptTask) -> Task:
    """The task, ready to be used."""
    return TaskPlanService.plan_of(kept)


def _newest(published: Sequence[KeptTask]) -> Sequence[KeptTask]:
    """Of each task the first one."""
    newest: dict[str, KeptTask] = {}
    for kept in published:
        newest.setdefault(kept.name, kept)
    return [newest[name] for name in sorted(newest)]


def reward_of(key: str) -> Reward:
    """What a bonus with this key was given for."""
    *_, time, at = key.split(":")
    return Reward(int(time), int(at))


def budget_of(task: Task) -> str:
    """The name of a task's budget, in the place of a rule set's."""
    return f"task:{task.id}"
