"""Around every request: its id, the limit on its body, one line in the access log, and the answer to unexpected errors."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearing.kit import tracing
from clearing.kit.ids import new_id
from gateway.http.problems import MEDIA_TYPE, HttpError, problem_response, unexpected

log = structlog.get_logger("gateway.access")

MAX_BODY = 1_048_576
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestMiddleware:
    """ASGI middleware. It must be the outermost one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request. A HEAD is a GET whose response has no body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, receive, send)
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):
            try:
                if request.declared_length() > MAX_BODY:
                    await problem_response(_too_large(), request.request_id)(scope, receive, request.send)
                else:
                    await self._app(request.routed, request.receive, request.send)
            except Exception:
                log.exception("unexpected error")
                if request.status == 0:
                    await unexpected(request.request_id)(scope, receive, request.send)
            finally:
                request.write_log()


class _Request:
    """One request on its way through: it counts the body, adds headers, and remembers what the log will say."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.perf_counter()
        self._received = 0
        self.status = 0
        self._is_problem = False
        self.request_id = _request_id(scope)
        self._state = scope.setdefault("state", {})
        self._state["request_id"] = self.request_id
        self._state["is_head"] = scope["method"] == "HEAD"
        self.routed = {**scope, "method": "GET"} if self._state["is_head"] else scope

    def declared_length(self) -> int:
        """The body's size according to Content-Length; 0 where that says nothing."""
        text = _header(self._scope, b"content-length") or "0"
        return int(text) if text.isdecimal() else 0

    async def receive(self) -> Message:
        """Receives a part of the body, unless the body becomes too large with it."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > MAX_BODY:
            raise _too_large()
        return message

    async def send(self, message: Message) -> None:
        """Sends the response, with the headers that every response has; to a HEAD without its body."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._is_problem = (b"content-type", MEDIA_TYPE.encode()) in message.get("headers", ())
            own = [(b"request-id", self.request_id.encode())]
            if self._scope["path"].startswith("/v1/"):
                own.append((b"cache-control", b"no-store"))  # balances, and sometimes secrets
            own.extend(self._state.get("rate_limit", ()))
            message["headers"] = [*message.get("headers", ()), *own]
        else:
            if self._is_problem and tracing.is_on():
                tracing.note("tongdui.problem", json.loads(message["body"])["code"])
            if self._scope["method"] == "HEAD":
                message = {**message, "body": b""}
        await self._send(message)

    def write_log(self) -> None:
        """Logs one line: the route's pattern, not the path, because a path may hold a customer's number."""
        route = self.routed.get("route")
        call = self._state.get("call")
        notes: dict[str, Any] = {"caller": call.caller.key_id, **call.notes} if call is not None else {}
        log.info(
            "request",
            method=self._scope["method"],
            route=getattr(route, "path", None),
            status=self.status,
            ms=round((time.perf_counter() - self._began) * 1000, 1),
            **notes,
        )


def _request_id(scope: Scope) -> str:
    given = _header(scope, b"request-id") or ""
    return given if _SANE_ID.fullmatch(given) else new_id("req")


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _too_large() -> HttpError:
    return HttpError(413, "request_too_large", "the body may have at most 1 MiB; split the order")
