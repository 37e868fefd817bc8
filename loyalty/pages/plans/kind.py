"""What pages have to know of a kind of plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.pages.plans.forms import PlanForm
from loyalty.pages.visit import Visit
from loyalty.plans.service import PlanService
from pages.translations import Text


@dataclass(frozen=True, slots=True)
class PlanKind:
    """Plans of one kind, as pages show them.

    Attributes:
        service: The service that keeps them.
        below: The path of their pages, below the root.
        templates: The folder of `one.html`, which says what a version says.
        title: What they are called.
        about: What they are good for, and which of them counts.
        draft: What a draft of them is.
        example: What a draft begins with, where it follows no other one.
        context: What `one.html` is given besides the version and its plan.
        has_program: Whether a version is about the points of one program.
        begun: What the next version of a plan begins with, if that is more than the plan.
        form: In what a draft is filled in by who does not write JSON, if the kind has that.
    """

    service: type[PlanService[Any, Any]]
    below: str
    templates: str
    title: Text
    about: Text
    draft: Text
    example: Mapping[str, Any]
    context: Callable[[Visit, Any, Any], Mapping[str, Any]]
    has_program: bool = True
    form: type[PlanForm] | None = None
    begun: Callable[[Visit, dict[str, Any]], dict[str, Any]] | None = None

    @property
    def name(self) -> str:
        """What the version is called in its routes."""
        return self.service.KIND

    def route(self, end: str = "") -> str:
        """A route about one version."""
        return f"{self.below}/{{{self.name}}}{end}"
