"""What an endpoint may return besides a view."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.http.schemas import View


@dataclass(frozen=True, slots=True)
class Answer:
    """A view with another status than the route's."""

    view: View
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """Something that the chain has yet to confirm, by its id: the answer shows it, and may wait for it."""

    id: str
