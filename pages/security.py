"""What every request and answer must keep: headers that bind the browser, forms of our own only, bodies of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STATE = "content_security_policy"


def allow_connections(request: Request, sources: str) -> None:
    """Lets the scripts of this one page connect to more than its own server, such as `https: http:` for a node of choice."""
    setattr(request.state, _STATE, {"connect-src": f"'self' {sources}"})


def shut_in(request: Request) -> None:
    """Has the browser show a file of somebody else's making as if it were a picture: it can run, load and send nothing, and is no
    part of this site."""
    setattr(request.state, _STATE, dict.fromkeys(POLICY, "'none'") | {"style-src": "'unsafe-inline'", "sandbox": ""})


class SecurityMiddleware:
    """Adds the headers, and refuses what comes from another site or is too long, before anything looks at it."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        origin: str,
        largest_body: int,
        secure: bool,
        larger_bodies: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`larger_bodies` has the paths at which a body may be longer than elsewhere, such as where a file is handed in."""
        self._app = app
        self._origin = origin
        self._largest = largest_body
        self._larger = larger_bodies
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message), state)
            await send(message)

        headers = Headers(scope=scope)
        largest = self._larger.get(scope["path"], self._largest)
        if scope["method"] not in SAFE_METHODS and not self._is_ours(headers):
            await PlainTextResponse("This request comes from another site.", 403)(scope, receive, send_with_headers)
        elif int(headers.get("content-length", "0") or 0) > largest:
            await PlainTextResponse("The request is too long.", 413)(scope, receive, send_with_headers)
        else:
            await self._app(scope, _bounded(receive, largest), send_with_headers)

    def _add_headers(self, headers: MutableHeaders, state: dict[str, object]) -> None:
        more = state.get(_STATE)
        policy = {**POLICY, **(more if isinstance(more, dict) else {})}
        headers["Content-Security-Policy"] = "; ".join(f"{name} {sources}".strip() for name, sources in policy.items())
        for name, value in _HEADERS.items():
            headers[name] = value
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
        headers.setdefault("Cache-Control", "no-store")

    def _is_ours(self, headers: Headers) -> bool:
        """Whether a page of ours sends it. Browsers say so; what says nothing is no browser, and needs the token all the same."""
        site = headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = headers.get("origin")
        return origin is None or _same(origin, self._origin) or _same(origin, f"//{headers.get('host', '')}")


def _same(one: str, other: str) -> bool:
    """Whether two origins have the same host and port."""
    return bool(urlsplit(one).netloc) and urlsplit(one).netloc == urlsplit(other).netloc


def _bounded(receive: Receive, largest: int) -> Receive:
    """Receives no more than so many bytes; what comes after that is cut off as if the browser had gone away."""
    left = largest

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                return {"type": "http.disconnect"}
        return message

    return bounded
