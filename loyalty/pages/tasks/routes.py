"""Tasks: what plans have, goals in words, what was given, and how far customers have come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from loyalty.kit.errors import Refusal
from loyalty.pages.goals import ROUNDS, goal_of
from loyalty.pages.levels import level_names
from loyalty.pages.plans.kind import PlanKind
from loyalty.pages.plans.routes import kept_of, plan_router, title_of
from loyalty.pages.sentences import sentence_of
from loyalty.pages.tasks.forms import TaskForm
from loyalty.pages.visit import Visit, Visiting
from loyalty.tasks.models import KeptTask
from loyalty.tasks.service import TaskPlanService, TaskService, task_of
from loyalty.tasks.tasks import Task
from pages.translations import gettext as _
from pages.translations import lazy


def _says(visit: Visit, kept: KeptTask, task: Task) -> Mapping[str, Any]:
    """The goal in words, and what the task has given."""
    return {
        "goal": goal_of(task.goal),
        "round": ROUNDS[task.round],
        "levels": level_names(visit, task.tiers),
        "tally": TaskService(visit.session).tally(kept),
    }


KIND = PlanKind(
    service=TaskPlanService,
    below="/tasks",
    templates="tasks",
    title=lazy("Tasks"),
    about=lazy("Goals for which customers get points. Of each task, the version that was published last counts."),
    draft=lazy("What customers are to reach, and what they get for it."),
    example={
        "id": "three-days",
        "name": {"en": "Three days running", "zh": "连续三天"},
        "condition": "line.category == 'fuel'",
        "goal": {"kind": "streak"},
        "stages": [{"at": 3, "points": 100}],
        "round": "month",
    },
    context=_says,
    form=TaskForm,
)
router = plan_router(KIND)


@router.get("/{task}/progress")
def progress(visit: Visiting) -> Response:
    """How many customers are on the way, stage by stage, in the round of today."""
    kept = kept_of(visit, KIND)
    found, refused = None, None
    try:
        found = TaskService(visit.session).count(kept)
    except Refusal as error:
        refused = sentence_of(error)
    return visit.page(
        "tasks/progress.html",
        kept=kept,
        task=task_of(kept),
        title=title_of(kept),
        found=found,
        refused=refused,
        crumbs=[(title_of(kept), f"/staff/tasks/{kept.id}"), (_("Who is on the way"), None)],
    )
