"""How tasks, progress and bonuses are written and shown."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from loyalty.api.fields import Body, View
from loyalty.api.plan_fields import PlanView, Program, TextView
from loyalty.bonuses.models import Cause
from loyalty.tasks.models import KeptTask
from loyalty.tasks.service import CustomersTask


class NewTask(Body):
    """A version of a task, and the program whose points it gives."""

    program: Program = Field(examples=["FUEL"])
    task: dict[str, Any] = Field(description="the task, as docs/loyalty-tasks.md describes it")


class TaskView(PlanView):
    """A version of a task."""

    program: str


class TaskDetailView(TaskView):
    """A version of a task with what it asks for."""

    task: dict[str, Any]

    @classmethod
    def whole(cls, kept: KeptTask) -> TaskDetailView:
        """The view of a row, with what it asks for."""
        return cls.of(kept, task=json.loads(kept.content))


class BonusView(View):
    """Points for something that a customer did."""

    id: str
    cause: Cause
    key: str
    program: str
    points: int
    reason: TextView
    reference: str = Field(description="the wish by which the points move")
    created_at: datetime
    revoked_at: datetime | None
    revoked_for: str | None = Field(description="what took it back: a return's id")
    revoked_by: str | None = Field(description="the wish by which the points move back")


class ProgressView(View):
    """How far a customer has come."""

    times: int = Field(description="how often the whole task is done in this round")
    value: int = Field(description="what counts towards the next time")
    missing: int = Field(description="what the next stage needs more; 0 if nothing is left to reach")


class CustomersTaskView(BaseModel):
    """A task that runs today, as one customer sees it."""

    id: str
    name: TextView
    description: TextView | None
    goal: dict[str, Any]
    stages: list[dict[str, int]]
    times: int
    is_open: bool = Field(description="whether the customer's tier may take part")
    first_day: date
    last_day: date | None = Field(description="null if it has no end")
    progress: ProgressView
    bonuses: list[BonusView]

    @classmethod
    def of(cls, found: CustomersTask) -> CustomersTaskView:
        """The view of a customer's task."""
        task = found.task
        return cls(
            id=task.id,
            name=TextView.model_validate(task.name),
            description=task.description and TextView.model_validate(task.description),
            goal=task.goal.model_dump(mode="json"),
            stages=[stage.model_dump() for stage in task.stages],
            times=task.times,
            is_open=found.is_open,
            first_day=found.round.first,
            last_day=None if found.round.last == date.max else found.round.last,
            progress=ProgressView.of(found.progress),
            bonuses=[BonusView.of(bonus) for bonus in found.bonuses],
        )
