"""Problem documents (RFC 9457): the one form in which every refusal and every failure is told."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from loyalty.kit.errors import Refusal

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One field or parameter that is wrong."""

    pointer: str = Field(description="JSON pointer into the body; empty for a parameter")
    parameter: str = Field(default="", description="name of the query parameter or header")
    detail: str


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = Field(description="a name for the code, as a URI")
    title: str
    status: int
    detail: str
    code: str = Field(description="stable: let programs decide by it")
    errors: list[FieldProblem] = []


def document(status: int, code: str, detail: str, errors: list[FieldProblem] | None = None) -> Problem:
    """A problem document."""
    return Problem(
        type=f"urn:tongdui:loyalty:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
    )


def refusal_document(refusal: Refusal, within: str = "") -> Problem:
    """A refusal as a problem document. `within` is where what was refused stands in the body."""
    at_fault = bool(refusal.pointer or refusal.parameter)
    whole = FieldProblem(
        pointer=within + refusal.pointer if refusal.pointer else "", parameter=refusal.parameter, detail=refusal.detail
    )
    errors = [whole] if at_fault else []
    errors += [FieldProblem(pointer=within + fault.pointer, detail=fault.detail) for fault in refusal.faults]
    return document(refusal.status, refusal.code, refusal.detail, errors)


def problem(status: int, code: str, detail: str, errors: list[FieldProblem] | None = None) -> Response:
    """A problem document as a response."""
    return _response(document(status, code, detail, errors))


def _response(found: Problem) -> Response:
    status = found.status
    response = Response(found.model_dump_json(), status, media_type=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def install(app: FastAPI) -> None:
    """Has the application answer every exception with a problem document."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(PoolTimeout, _busy)
    app.add_exception_handler(Exception, _failed)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _response(refusal_document(error))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = []
    for one in error.errors():
        place, *path = one["loc"]
        pointer = "".join(f"/{part}" for part in path) if place == "body" else ""
        parameter = "" if place == "body" else str(path[0]) if path else str(place)
        errors.append(FieldProblem(pointer=pointer, parameter=parameter, detail=one["msg"]))
    first = errors[0]
    return problem(422, "validation_failed", f"{first.pointer.lstrip('/') or first.parameter}: {first.detail}", errors)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    details = {404: f"there is nothing at {path}", 405: f"{path} does not take {request.method}"}
    codes = {404: "not_found", 405: "method_not_allowed"}
    status = error.status_code
    response = problem(status, codes.get(status, "http_error"), details.get(status, str(error.detail)))
    response.headers.update(error.headers or {})
    return response


async def _busy(_request: Request, error: Exception) -> Response:
    log.warning("the database is unavailable", error=type(error).__name__, detail=str(error)[:300])
    return problem(503, "database_unavailable", "the database is busy; nothing was done, send the request again")


async def _failed(_request: Request, _error: Exception) -> Response:
    return problem(500, "internal_error", "the programme failed; its log says why")
