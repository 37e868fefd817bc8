"""The paths that the gateway serves: which methods each takes, and where a path with a slash at its end leads."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Paths:
    """The paths of these routes."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self.routes = [route for route in routes if isinstance(route, Route)]

    def methods(self, path: str) -> list[str]:
        """The methods that a path takes, sorted; none where there is nothing at it. A GET also means HEAD and OPTIONS."""
        found = {method for route in self.routes if route.path_regex.match(path) for method in route.methods or ()}
        if not found:
            return []
        return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))


class SlashMiddleware:
    """Sends a client that wrote a slash at the end of a path to the path without it (308: with the same method and body)."""

    def __init__(self, app: ASGIApp, paths: Paths) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirects the request, or handles it."""
        if scope["type"] == "http" and _raw_path(scope).endswith("/"):
            path = scope["path"].rstrip("/")
            if self._paths.methods(path):
                query = scope["query_string"].decode("latin-1")
                location = _raw_path(scope).rstrip("/") + (f"?{query}" if query else "")
                await RedirectResponse(location, 308)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _raw_path(scope: Scope) -> str:
    """The path as the client wrote it: a slash of a customer's number is `%2F` there, and ends no path."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")
