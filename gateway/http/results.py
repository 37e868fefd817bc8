"""What a route may return besides a view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from gateway.http.schemas import View

V_co = TypeVar("V_co", bound=View, covariant=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[V_co]):
    """A view with a status of its own instead of the route's."""

    view: V_co
    status: int


@dataclass(frozen=True, slots=True)
class Started(Generic[V_co]):
    """The id of a resource that the chain has yet to confirm. The response shows the resource, at once or after a wait."""

    id: str


Result = View | Answer[View] | Started[View]
Effect = Callable[[], Result]


def view_type(route: Any) -> Any:
    """The view that a route's function promises: `V` where it returns `V`, `Answer[V]` or `Started[V]`."""
    promised = get_type_hints(route, include_extras=True)["return"]
    view = get_args(promised)[0] if get_origin(promised) in (Answer, Started) else promised
    if not (isinstance(view, type) and issubclass(view, View)):
        raise TypeError(f"{route.__module__}.{route.__qualname__} must return a view, Answer[...] or Started[...]")
    return view
