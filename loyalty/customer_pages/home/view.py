"""What the first page shows: balances of the network, what is on its way, the tier's way, tasks with their stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from loyalty.customer_pages.visit import Visit
from loyalty.kit.database import clock_of
from loyalty.network.balances import Holding, NetworkAway
from loyalty.network.debts import DebtService
from loyalty.network.models import WishState
from loyalty.network.wishes import OpenWish, WishService
from loyalty.tasks.service import CustomersTask, TaskService
from loyalty.tasks.tasks import Stage

EXPIRY_DAYS = 30
"""For so many days ahead the page tells what expires."""


@dataclass(frozen=True, slots=True)
class Purse:
    """A program's points: what the network has, and what is not there yet."""

    program: str
    holding: Holding | None
    """None if the network does not say."""
    coming: int
    """Points on their way."""
    going: int
    """Points that will be taken back."""
    unclear: int
    """Points about which somebody has to decide."""
    owed: int
    """Points that should have been taken back and were spent."""


def purses_of(visit: Visit) -> tuple[Sequence[Purse], bool]:
    """The customer's points, by program, and whether the network has said what there is. The network is asked first, so no
    transaction waits for it."""
    today = clock_of(visit.session).now().astimezone(visit.parts.zone).date()
    try:
        holdings = {one.program: one for one in visit.parts.balances.of(visit.customer.id, today, EXPIRY_DAYS)}
        is_known = True
    except NetworkAway:
        holdings, is_known = {}, False
    wishes: dict[str, list[OpenWish]] = {}
    for wish in WishService(visit.session).open_of([visit.customer.id]).get(visit.customer.id, ()):
        wishes.setdefault(wish.program, []).append(wish)
    owed = DebtService(visit.session).owed_by([visit.customer.id]).get(visit.customer.id, {})
    found = [
        _purse(program, holdings.get(program), wishes.get(program, []), owed.get(program, 0))
        for program in sorted({*holdings, *wishes, *owed})
    ]
    return found, is_known


def _purse(program: str, holding: Holding | None, wishes: Sequence[OpenWish], owed: int) -> Purse:
    moving = [one.points for one in wishes if one.state is not WishState.REFUSED]
    return Purse(
        program=program,
        holding=holding,
        coming=sum(points for points in moving if points > 0),
        going=-sum(points for points in moving if points < 0),
        unclear=sum(one.points for one in wishes if one.state is WishState.REFUSED),
        owed=owed,
    )


@dataclass(frozen=True, slots=True)
class StageShown:
    """A stage of a task, and whether the customer has reached it in this round."""

    stage: Stage
    is_reached: bool


@dataclass(frozen=True, slots=True)
class TaskShown:
    """A task as a customer sees it."""

    found: CustomersTask
    stages: Sequence[StageShown]
    last_day: date | None
    """Until when; None if nobody has set an end."""
    points: int
    """What it has given in this round."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to reach."""
        return self.found.progress.next is None


def tasks_of(visit: Visit) -> Sequence[TaskShown]:
    """The tasks that run today: those in which something is left to do first."""
    found = [_shown(one) for one in TaskService(visit.session).of(visit.customer)]
    return sorted(found, key=lambda one: (not one.found.is_open, one.is_done))


def _shown(one: CustomersTask) -> TaskShown:
    return TaskShown(
        found=one,
        stages=[StageShown(stage, stage.at <= one.progress.value) for stage in one.task.stages],
        last_day=None if one.round.last == date.max else one.round.last,
        points=sum(bonus.points for bonus in one.bonuses),
    )
