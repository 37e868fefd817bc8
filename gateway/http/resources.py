"""Responses that show a resource which the chain may still change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import structlog
from fastapi import Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.parties.staff import bearers
from gateway.http.auth import unknown_caller
from gateway.http.context import Asked, Call, ChainResource, Shown
from gateway.http.schemas import View

log = structlog.get_logger(__name__)


def resource_response(call: Call, resource_id: str) -> Response:
    """The resource as it is now, with its address in `Location`."""
    resource = _resource(call, resource_id)
    return _response(call, resource_id, resource, resource.show(call, resource_id))


def resource_responses(session: Session, asked: Sequence[Asked]) -> list[Response | Exception]:
    """The same for many calls at once, in one session. Where there is an exception, the call would have raised it.

    Raises SQLAlchemyError, for that would befall the others, too.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, (call, resource_id) in enumerate(asked):
        call.session = session
        places[_resource(call, resource_id).prefix].append(place)
    found: dict[int, Response | Exception] = {}
    try:
        for some in places.values():
            found |= zip(some, _responses([asked[place] for place in some]), strict=True)
    finally:
        for call, _ in asked:
            call.session = None
    return [found[place] for place in range(len(asked))]


def responses_after_waiting(session: Session, asked: Sequence[Asked]) -> list[Response | Exception]:
    """The same for calls that have waited: one whose key has ended meanwhile learns that, and nothing else."""
    live = bearers.live(session, {call.caller for call, _ in asked})
    shown = iter(resource_responses(session, [one for one in asked if one[0].caller in live]))
    return [next(shown) if call.caller in live else unknown_caller(call.caller) for call, _ in asked]


def _responses(asked: Sequence[Asked]) -> list[Response | Exception]:
    """The responses to calls that wait for resources of one kind."""
    resource = _resource(*asked[0])
    if resource.show_all is not None and len(asked) > 1:
        try:
            every = zip(asked, resource.show_all(asked), strict=True)
            return [_response(call, resource_id, resource, shown) for (call, resource_id), shown in every]
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 (it is somebody's, and one by one it will be found whose)
            log.warning("resources are shown one by one", kind=resource.collection, error=type(error).__name__)
    return [_response_or_exception(*one) for one in asked]


def _response_or_exception(call: Call, resource_id: str) -> Response | Exception:
    try:
        return resource_response(call, resource_id)
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 (the call's own request will raise it)
        return error


def _resource(call: Call, resource_id: str) -> ChainResource[View]:
    return call.gateway.resources[resource_id.partition("_")[0]]


def _response(call: Call, resource_id: str, resource: ChainResource[View], shown: Shown[View]) -> Response:
    call.started = resource_id if shown.is_open else None
    call.notes["resource"] = resource_id
    status = resource.open_status if shown.is_open and resource.open_status is not None else call.status
    headers = {"Location": f"/v1/{resource.collection}/{resource_id}"}
    return Response(shown.view.model_dump_json(), status, headers, "application/json")
