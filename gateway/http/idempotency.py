"""A mutation and its Idempotency-Key in one transaction (docs/decisions/0004-one-effect-a-key.md)."""

from __future__ import annotations

import json

from fastapi import Response

from clearing.kit.errors import ClearingError
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.service import IdempotencyService, fingerprint, is_final
from clearing.kit.rollbacks import repeated
from gateway.http import problems
from gateway.http.auth import require_live
from gateway.http.context import Call
from gateway.http.dry_run import run_dry
from gateway.http.resources import resource_response
from gateway.http.results import Answer, Effect, Started


def run_once(call: Call, effect: Effect) -> Response:
    """Runs `effect` and stores its response in one transaction, or repeats the response that its key got before.

    A dry run has no key: it runs `effect` and undoes it.
    """
    return repeated(lambda: _transaction(call, effect), start_over=call.start_over)


def _transaction(call: Call, effect: Effect) -> Response:
    with call.gateway.writing() as session:
        call.session = session
        try:
            require_live(session, call.caller)
            return _rehearsed(call, effect) if call.dry_run else _claimed(call, effect)
        finally:
            call.session = None


def _rehearsed(call: Call, effect: Effect) -> Response:
    try:
        return run_dry(call, effect)
    except ClearingError as error:
        if is_final(error):
            error.count(call.session)  # trying out is trying, too
        return problems.problem_response(error, call.request_id)


def _claimed(call: Call, effect: Effect) -> Response:
    body = call.content
    if body is None and call.raw_body:  # a handed-in order was read already, and it may be large
        body = json.loads(call.raw_body)
    claim = IdempotencyService(call.session).claim(
        call.caller.principal, call.key, fingerprint(call.method, call.path, body)
    )
    if not claim.is_first:
        return replay(call, claim.record)
    try:
        with call.session.begin_nested():
            result = effect()
    except ClearingError as error:
        if not is_final(error):
            raise
        error.count(call.session)
        refusal = problems.problem_response(error, call.request_id)
        _record(claim.record, refusal.status_code, bytes(refusal.body))
        return refusal
    if isinstance(result, Started):
        _record(claim.record, call.status, b"", location=result.id)
        return _show_or_wait(call, result.id)
    answer = result if isinstance(result, Answer) else Answer(result, call.status)
    _record(claim.record, answer.status, answer.view.for_record())
    return Response(answer.view.model_dump_json(), answer.status, media_type="application/json")


def _record(record: IdempotencyRecord, status: int, body: bytes, location: str | None = None) -> None:
    record.status = status
    record.body = body.decode()
    record.location = location


def _show_or_wait(call: Call, resource_id: str) -> Response:
    """The resource as it is now. If the client waits, a placeholder: the endpoint shows the resource when the wait is over."""
    if not call.wait:
        return resource_response(call, resource_id)
    call.started = resource_id
    return Response(status_code=202)


def replay(call: Call, record: IdempotencyRecord) -> Response:
    """The first response again; or, where that showed a resource that changes by itself, the resource as it is now."""
    call.replayed = True
    if record.location is not None:
        return _show_or_wait(call, record.location)
    media_type = problems.MEDIA_TYPE if record.status >= 400 else "application/json"
    return Response(record.body, record.status, media_type=media_type)
