"""How far a version of a plan is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from typing import Final

from loyalty.plans.models import KeptPlan
from pages.translations import Text, lazy


class PlanState(StrEnum):
    """How far a version is."""

    DRAFT = "draft"
    """Nobody has published it."""
    NEXT = "next"
    """Its first day comes."""
    IN_FORCE = "in_force"
    """It counts today."""
    REPLACED = "replaced"
    """Another one was published later, and counts in its place."""
    OVER = "over"
    """Its last day is past."""


STATES: Final[Mapping[PlanState, tuple[Text, str]]] = {
    PlanState.DRAFT: (lazy("Draft"), "warn"),
    PlanState.NEXT: (lazy("Comes next"), "info"),
    PlanState.IN_FORCE: (lazy("In force today"), "good"),
    PlanState.REPLACED: (lazy("Another one counts"), ""),
    PlanState.OVER: (lazy("Over"), ""),
}
"""What each is called, and how urgent it looks."""


def state_of(kept: KeptPlan, in_force: Collection[str], today: date) -> PlanState:
    """How far a version is, where those with these ids are in force."""
    if kept.published_at is None:
        return PlanState.DRAFT
    if kept.id in in_force:
        return PlanState.IN_FORCE
    if kept.starts_on > today:
        return PlanState.NEXT
    return PlanState.OVER if kept.ends_on is not None and kept.ends_on < today else PlanState.REPLACED
