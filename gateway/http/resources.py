"""Responses that show a resource which the chain may still change."""

from __future__ import annotations

from fastapi import Response

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
