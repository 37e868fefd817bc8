"""A dry run over HTTP (`?dry_run=true`): the whole acceptance in a transaction that is undone."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from pydantic import Field

from clearing.kit.errors import InvalidRequest
from clearing.ordering.orders.dry_run import begin_dry_run
from clearing.parties.agreements.conversion import Conversion
from gateway.http.context import Call
from gateway.http.results import Answer, Effect, Started
from gateway.http.schemas import View

V = TypeVar("V")

PARAMETER = "dry_run"
_NEW_IDS = ("id", "order", "movement")
"""Fields of a view that hold ids which a dry run has made up."""


class OutcomeView(View):
    """What the entry of an instruction would say."""

    points: int = Field(description="points that would move; an exchange may take fewer than it was asked for")
    out: int = Field(description="points that would enter the target program")
    settled_micros: int
    fee_micros: int


class DryRunView(View, Generic[V]):
    """What a request would have done. Nothing of it happened, and nothing was stored."""

    dry_run: bool = Field(default=True, json_schema_extra={"const": True})
    result: V = Field(description="what the response would show; the ids of what does not exist end in 26 zeros")
    outcomes: list[OutcomeView] = Field(description="one for each instruction of an order; none for a hold")


def is_wanted(request: Request) -> bool:
    """Whether the request asks for a dry run."""
    value = request.query_params.get(PARAMETER, "false")
    if value not in ("true", "false"):
        raise InvalidRequest.of_parameter(PARAMETER, "must be true or false")
    return value == "true"


def run_dry(call: Call, effect: Effect) -> Response:
    """Carries `effect` out in the call's transaction, undoes it, and shows what it would have done. Raises its refusal."""
    dry_run = begin_dry_run(call.session)
    attempt = call.session.begin_nested()
    try:
        result = effect()
        body = _shown(call, result, dry_run.outcomes)
    finally:
        attempt.rollback()
    return Response(body, 200, media_type="application/json")


def _shown(call: Call, result: Any, outcomes: list[Conversion]) -> bytes:
    if isinstance(result, Started):
        view = call.gateway.resources[result.id.partition("_")[0]].show(call, result.id).view
    else:
        view = result.view if isinstance(result, Answer) else result
    document = DryRunView[Any](
        result=_without_new_ids(view.model_dump(mode="json")),
        outcomes=[OutcomeView(points=o.burnt, out=o.out, settled_micros=o.settled, fee_micros=o.fee) for o in outcomes],
    )
    return document.model_dump_json().encode()


def _without_new_ids(view: dict[str, Any]) -> dict[str, Any]:
    """The view, with zeros in place of what was random in ids that exist no more."""
    replaced: dict[str, Any] = {
        name: _zeroed(value) for name, value in view.items() if name in _NEW_IDS and isinstance(value, str)
    }
    if view.get("movements"):
        replaced["movements"] = [_without_new_ids(movement) for movement in view["movements"]]
    return {**view, **replaced}


def _zeroed(resource_id: str) -> str:
    return f"{resource_id.partition('_')[0]}_{'0' * 26}"
