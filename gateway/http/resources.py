"""Responses that show a resource which the chain may still change."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response
from sqlalchemy.orm import Session

from gateway.http.context import Call


def resource_response(call: Call, resource_id: str) -> Response:
    """The resource as it is now, with its address in `Location`."""
    resource = call.gateway.resources[resource_id.partition("_")[0]]
    shown = resource.show(call, resource_id)
    call.started = resource_id if shown.is_open else None
    call.notes["resource"] = resource_id
    status = resource.open_status if shown.is_open and resource.open_status is not None else call.status
    headers = {"Location": f"/v1/{resource.collection}/{resource_id}"}
    return Response(shown.view.model_dump_json(), status, headers, "application/json")


def resource_responses(session: Session, asked: Sequence[tuple[Call, str]]) -> list[Response | Exception]:
    """The same for many calls at once, in one session."""
    found: list[Response | Exception] = []
    for call, resource_id in asked:
        call.session = session
        try:
            found.append(resource_response(call, resource_id))
        finally:
            call.session = None
    return found
