"""What a route may return besides a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from clearing.ordering.orders.events import Accepted
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from gateway.http.groups import LARGEST
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(Generic[V_co]):
    """An order that the route has read from its body. It is accepted together with others; then it is as `Started`."""

    requests: Sequence[InstructionRequest]
    resource: Callable[[Accepted], str]
    """The id of the resource that shows the accepted order."""
    authorization: Authorization | None = None
    atomic: bool = False
    places: Sequence[str] | None = None
    """JSON pointers to where the requests stand in the body."""

    @property
    def is_alone(self) -> bool:
        """Whether it is accepted in a transaction of its own: it has to be, or it is so large that company gains it nothing."""
        return len(self.requests) > LARGEST or any(request.is_alone for request in self.requests)


Result = View | Answer[View] | Started[View]
Effect = Callable[[], Result]


def view_type(route: Any) -> Any:
    """The view that a route's function promises, or the views, one of which it returns: `V` where it returns `V`, `Answer[V]`,
    `Started[V]` or `Submitted[V]`."""
    promised = get_type_hints(route, include_extras=True)["return"]
    views = list(dict.fromkeys(view for one in _each(promised) for view in _each(_shown(one))))
    if not all(isinstance(each, type) and issubclass(each, View) for each in views):
        raise TypeError(
            f"{route.__module__}.{route.__qualname__} must return a view, Answer[...], Started[...] or Submitted[...]"
        )
    return reduce(or_, views)


def _each(promised: Any) -> tuple[Any, ...]:
    return get_args(promised) if get_origin(promised) in (UnionType, Union) else (promised,)


def _shown(promised: Any) -> Any:
    return get_args(promised)[0] if get_origin(promised) in (Answer, Started, Submitted) else promised
