"""Tasks that the tests share."""

from __future__ import annotations

import json
from typing import Any

from loyalty.tasks.tasks import Task, read_task


def plain(key: str, goal: dict[str, Any], *stages: tuple[int, int], **more: Any) -> dict[str, Any]:
    """A task as JSON; each stage is (at, points)."""
    return {
        "id": key,
        "version": 1,
        "name": {"en": key, "zh": key},
        "time_zone": "Asia/Shanghai",
        "effective": {"from": "2026-01-01"},
        "goal": goal,
        "stages": [{"at": at, "points": points} for at, points in stages],
        **more,
    }


def task(*parts: Any, **more: Any) -> Task:
    """The same, ready to be used."""
    return read_task(json.dumps(plain(*parts, **more)))


THREE_DAYS = plain("three-days", {"kind": "streak"}, (3, 100), condition="line.category == 'fuel'")
FORTY_LITRES = plain(
    "forty-litres", {"kind": "at_once", "measure": "litres", "amount": 40}, (1, 50), round="month", times=2
)
"""Twice a month."""
BREADTH = plain("new-tastes", {"kind": "breadth", "of": "categories"}, (2, 20), (3, 80))
"""Staged: two categories, then three."""
HUNDRED_LITRES = plain("hundred-litres", {"kind": "in_sum", "measure": "litres"}, (50, 10), (100, 40), times=3)
