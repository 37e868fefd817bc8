"""RFC 9457 problem documents: the one form in which the gateway reports every refusal and every failure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from clearing.kit import metrics
from clearing.kit.catalogue import CATALOGUE, page_of, title_of
from clearing.kit.errors import ClearingError, FieldError, Unavailable

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemError(BaseModel):
    """One wrong field."""

    pointer: str = Field(
        description="JSON pointer into the request's body; empty for the request as a whole and for parameters"
    )
    parameter: str | None = Field(
        default=None, description="name of the query parameter, path parameter or header that is wrong"
    )
    detail: str


class Problem(BaseModel):
    """What went wrong, and how to correct it (RFC 9457)."""

    type: str = Field(
        json_schema_extra={"format": "uri-reference"},
        examples=["/problems/insufficient-points"],
        description="the page of this gateway that explains the code",
    )
    title: str = Field(examples=["The member has too few points"])
    status: int
    detail: str
    code: str = Field(description="stable: let programs decide by it", examples=["insufficient_points"])
    request_id: str
    errors: list[ProblemError] = []


class HttpError(ClearingError):
    """A refusal that only HTTP has a reason for, by its status. The rules' own refusals are in `clearing.kit.errors`."""

    def __init__(self, status: int, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail, code=code, errors=errors)
        self.status = status


def problem_response(error: ClearingError, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as a response, and counted."""
    metrics.REQUESTS_REFUSED.labels(error.code).inc()
    document = Problem(
        type=page_of(error.code),
        title=title_of(error.code),
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
        errors=[ProblemError(pointer=e.pointer, parameter=e.parameter, detail=e.detail) for e in error.errors],
    )
    response = Response(document.model_dump_json(), error.status, headers, MEDIA_TYPE)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    elif error.code == "idempotency_in_flight":
        response.headers["Retry-After"] = "1"
    return response


def request_id_of(request: Request) -> str:
    """The id that the middleware gave the request."""
    return str(getattr(request.state, "request_id", ""))


# -------------------------------------------------------------------- handlers


def install(app: FastAPI) -> None:
    """Makes the application turn every exception into a problem document."""
    for code in CATALOGUE:
        metrics.REQUESTS_REFUSED.labels(code)
    app.add_exception_handler(ClearingError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OperationalError, _database_error)
    app.add_exception_handler(PoolTimeout, _database_error)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClearingError)
    return problem_response(error, request_id_of(request))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = field_errors(error.errors(), error.body)
    first = "; ".join(f"{e.pointer.lstrip('/') or e.parameter or 'request'}: {e.detail}" for e in errors[:3])
    rest = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return problem_response(HttpError(422, "validation_failed", first + rest, errors), request_id_of(request))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, path, headers = error.status_code, request.url.path, dict(error.headers or {})
    detail = str(error.detail)
    if status == 404:
        slash = ", with or without the slash at its end" if path.endswith("/") else ""
        detail = f"there is nothing at {path}{slash}"
    elif status == 405:
        allowed = request.app.state.paths.methods(path) or [headers.get("allow") or headers.get("Allow") or "GET"]
        headers = {"Allow": ", ".join(allowed)}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        detail = f"{path} does not take {request.method}; it takes {headers['Allow']}"
    codes = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}
    return problem_response(HttpError(status, codes.get(status, "http_error"), detail), request_id_of(request), headers)


async def _database_error(request: Request, error: Exception) -> Response:
    refusal = database_unavailable(error, "nothing was done, send the request again")
    return problem_response(refusal, request_id_of(request))


def database_unavailable(error: Exception, what_now: str) -> Unavailable:
    """The refusal of whatever the database could not do in time."""
    log.warning("database is unavailable", error=type(error).__name__, detail=str(error)[:300])
    return Unavailable(f"the database is busy; {what_now}", code="database_unavailable")


def unexpected(request_id: str) -> Response:
    """The response to an error of ours. The log has the details under the request's id."""
    detail = f"the gateway failed; if this happens again, report the request id {request_id}"
    return problem_response(ClearingError(detail), request_id)


# -------------------------------------------------------------------- validation errors


def field_errors(errors: Sequence[Any], body: Any) -> tuple[FieldError, ...]:
    """FastAPI's validation errors, each with a JSON pointer and a sentence that says how to correct it."""
    found = []
    for error in errors:
        part, *path = error["loc"]
        if part == "body":
            found.append(FieldError(_pointer(path, body, error["type"]), _advice(error)))
        else:
            found.append(FieldError("", _advice(error), str(path[0]) if path else None))
    return tuple(found)


def _pointer(path: Iterable[Any], body: Any, kind: str) -> str:
    """A JSON pointer. It leaves out steps that are not in the body (the tag of a union), except a missing last field."""
    if kind == "json_invalid":
        return ""
    steps = list(path)
    parts = []
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        inside = (isinstance(body, dict) and step in body) or (
            isinstance(body, list) and isinstance(step, int) and step < len(body)
        )
        if inside:
            body = body[step]
        elif not last:
            continue
        parts.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)


def _advice(error: Mapping[str, Any]) -> str:
    """What is wrong with the value, and what would be right."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a known field; check the spelling"
    if kind in ("int_type", "int_from_float", "int_parsing"):
        return f"must be a whole number without quotes, point or exponent, such as 25; this is {_excerpt(error.get('input'))}"
    if kind == "json_invalid":
        return f"the body is not JSON: {context.get('error', 'it cannot be parsed')}"
    if kind == "string_type":
        return f"must be text in quotes; this is {_excerpt(error.get('input'))}"
    if kind in ("model_attributes_type", "dict_type"):
        return "must be a JSON object"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    message = str(error["msg"])
    return message[:1].lower() + message[1:]


def _excerpt(value: Any) -> str:
    """The value as JSON, if that is short."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError):
        return "something else"
    return text if len(text) <= 40 else "something else"


# -------------------------------------------------------------------- documentation

_MEANINGS = {
    400: "The request is malformed, or a mutation has no Idempotency-Key",
    401: "No API key, or one that is unknown or revoked",
    403: "The API key may not do this",
    404: "There is no such resource, or the caller may not know of it",
    409: "It conflicts with something that exists, or the first request with this key is still running",
    413: "The body is larger than 1 MiB",
    415: "The body is not JSON",
    422: "A field is wrong, or the state of the network does not allow it",
    429: "You have asked too often: Retry-After says when to ask again",
    500: "An error of the gateway",
    503: "Not now: Retry-After says when",
    504: "It took too long: ask for less",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of problem responses."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses
    }
