"""Tasks, how far customers have come, and what they were given."""

from __future__ import annotations

import json

from loyalty.api.fields import Decision
from loyalty.api.tasks.schemas import BonusView, CustomersTaskView, NewTask, TaskDetailView, TaskView
from loyalty.bonuses.service import BonusService
from loyalty.customers.service import CustomerService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.tasks.service import TaskPlanService, TaskService

router = api("tasks")


@router.get("/v1/tasks")
def list_tasks(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[TaskView]:
    """Versions of tasks, newest first."""
    return shown(TaskPlanService(call.session).page(cursor=cursor, limit=limit), TaskView.of)


@router.get("/v1/tasks/{task}")
def get_task(call: Calling, task: str) -> TaskDetailView:
    """One version, with what it asks for."""
    return TaskDetailView.whole(TaskPlanService(call.session).get(task))


@router.post("/v1/tasks", status_code=201)
def add_task(call: Calling, new: NewTask) -> TaskDetailView:
    """Keep a draft. What cannot be reached is refused now, with the place of each mistake."""
    kept = TaskPlanService(call.session).keep(json.dumps(new.task), actor=call.actor, program=new.program)
    return TaskDetailView.whole(kept)


@router.post("/v1/tasks/{task}/publish")
def publish_task(call: Calling, task: str, decision: Decision) -> TaskView:
    """Put a draft into force, from its first day on. It takes the place of the version before it."""
    return TaskView.of(TaskPlanService(call.session).publish(task, actor=call.actor, reason=decision.reason))


@router.get("/v1/customers/{customer}/tasks")
def list_customers_tasks(call: Calling, customer: str) -> list[CustomersTaskView]:
    """The tasks that run today, how far a customer has come, and what is missing."""
    found = TaskService(call.session).of(CustomerService(call.session).get(customer))
    return [CustomersTaskView.of(one) for one in found]


@router.get("/v1/customers/{customer}/bonuses")
def list_bonuses(call: Calling, customer: str, cursor: Cursor = None, limit: Limit = 50) -> Page[BonusView]:
    """What a customer was given besides awards, newest first, with what was taken back."""
    found = CustomerService(call.session).get(customer)
    return shown(BonusService(call.session).page(found.id, cursor, limit), BonusView.of)
