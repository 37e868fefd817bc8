"""Paths whose segments hold anything, even a slash: a path is cut into segments before they are decoded, never after.

Servers decode the whole path, so `/v1/members/external:A%2F1` would look like two segments below `members`. Routing therefore
works on a path in which a slash or a percent sign inside a segment stays encoded; a route's parameters are decoded afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_KEPT = str.maketrans({"/": "%2F", "%": "%25"})


class SegmentMiddleware:
    """ASGI middleware that cuts the path into segments as the client sent them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] == "http" and (raw := scope.get("raw_path")):
            # In place: the middleware around this one reads the matched route from the same scope.
            scope["path"] = segmented(raw)
        await self._app(scope, receive, send)


def segmented(raw_path: bytes) -> str:
    """The path with every segment decoded, except for slashes and percent signs inside a segment."""
    path = raw_path.partition(b"?")[0].decode(errors="replace")
    return "/".join(unquote(segment).translate(_KEPT) for segment in path.split("/"))


def decoded(parameters: Mapping[str, str]) -> dict[str, str]:
    """A route's parameters as the client meant them."""
    return {name: value.replace("%2F", "/").replace("%25", "%") for name, value in parameters.items()}
