"""The life of a request. A route is a plain function: who may call it, its transaction and its one effect follow by themselves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from loyalty.http.idempotency.models import IdempotencyRecord
from loyalty.http.idempotency.service import HEADER, IdempotencyService, checked
from loyalty.http.problems import MEDIA_TYPE, Problem
from loyalty.http.rules import LARGEST_BODIES, LARGEST_BODY, LOOKING_POSTS, PUBLIC, RULES
from loyalty.kit.database import Database
from loyalty.kit.errors import NotAllowed, NotSignedIn, TooLarge
from loyalty.kit.paging import LARGEST_PAGE
from loyalty.staff.models import Key
from loyalty.staff.service import KeyService

_LOOKING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Call:
    """What a route is given: the transaction of its request, and who calls."""

    session: Session
    key: Key | None
    secrets: set[str] = field(default_factory=set)
    """Fields of the answer that are shown once: a repeated request has null in their place."""

    @property
    def actor(self) -> str:
        """Who the audit log says has done it."""
        assert self.key is not None, "whoever changes something has a key"
        return self.key.id


def _call_of(request: Request) -> Call:
    call: Call = request.state.call
    return call


Calling = Annotated[Call, Depends(_call_of)]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before", max_length=80)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="elements of a page")]


class Route(APIRoute):
    """A route that knows its caller, runs in one transaction, and has one effect for each idempotency key."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler around FastAPI's own."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            method = request.method
            roles = RULES[method, self.path_format]
            database: Database = request.app.state.database
            caller = None if roles == PUBLIC else await run_in_threadpool(_caller, database, request.headers)
            if caller is not None and caller.role not in roles:
                raise NotAllowed("forbidden", f"the role {caller.role} may not {method} {self.path_format}")
            if method in _LOOKING or (method, self.path_format) in LOOKING_POSTS:
                if method not in _LOOKING:
                    await _body(request, LARGEST_BODY)
                session = database.reading()
                request.state.call = Call(session, caller)
                try:
                    return await handle(request)
                finally:
                    await run_in_threadpool(session.close)
            assert caller is not None, "nobody changes anything without a key"
            body = await _body(request, LARGEST_BODIES.get((method, self.path_format), LARGEST_BODY))
            return await _once(database, caller, request, body, handle)

        return handled


async def _once(
    database: Database, caller: Key, request: Request, body: bytes, handle: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Lets a request have its effect, or repeats the answer that it had."""
    key = checked(request.headers.get(HEADER))
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body
    session = database.session()
    try:
        record = await run_in_threadpool(IdempotencyService(session).first_answer, caller.id, key, asked)
        if record.status:
            return _repeated(record)
        request.state.call = Call(session, caller)
        response = await handle(request)
        record.status, record.body = response.status_code, _kept(bytes(response.body), request.state.call.secrets)
        await run_in_threadpool(session.commit)
        return response
    finally:
        await run_in_threadpool(session.close)


def _kept(body: bytes, secrets: Set[str]) -> bytes:
    return json.dumps(json.loads(body) | dict.fromkeys(secrets)).encode() if secrets else body


def _repeated(record: IdempotencyRecord) -> Response:
    return Response(record.body, record.status, {"Idempotent-Replayed": "true"}, "application/json")


async def _body(request: Request, largest: int) -> bytes:
    """The body, unless it is larger than anything that can be meant. FastAPI gets it from here, too."""
    pieces, size = [], 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            raise TooLarge("request_too_large", f"a body has at most {largest} bytes")
    request._body = b"".join(pieces)
    return request._body


def _caller(database: Database, headers: Mapping[str, str]) -> Key:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise NotSignedIn("unauthenticated", "send your key: Authorization: Bearer tdl_...")
    with database.reading() as session:
        key = KeyService(session).holder(secret.strip())
    if key is None:
        raise NotSignedIn("unauthenticated", "this key is unknown or revoked")
    return key


_PROBLEM: dict[str, Any] = {"model": Problem, "content": {MEDIA_TYPE: {}}}


def api(tag: str) -> APIRouter:
    """A router for the routes of one concept."""
    return APIRouter(tags=[tag], route_class=Route, responses={"4XX": _PROBLEM, "5XX": _PROBLEM})


def unruled(routes: Sequence[object]) -> list[str]:
    """Routes for which there is no rule, and rules for which there is no route."""
    served = {
        (method, route.path_format) for route in routes if isinstance(route, APIRoute) for method in route.methods or ()
    }
    odd = served ^ {rule for rule in RULES if rule[1] != "/openapi.json"}
    return sorted(f"{method} {path}" for method, path in odd)
