"""The static files: their names carry a hash of their content, so a browser keeps them for ever. The build has compressed them."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

DIRECTORY = Path(__file__).parent / "static" / "dist"
PREFIX = "/static"
_FOR_EVER = "public, max-age=31536000, immutable"
_SHORTEST = (("br", ".br"), ("gzip", ".gz"))


class NotBuilt(Exception):
    """The static files are missing; the message says how to build them."""


@lru_cache
def manifest() -> dict[str, str]:
    """The file's name for each plain name. Raises NotBuilt."""
    try:
        names: dict[str, str] = json.loads((DIRECTORY / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotBuilt("the pages' static files are not built: run `make setup`") from None
    return names


def asset(name: str) -> str:
    """The address of a static file by its plain name, such as `main.css`."""
    return f"{PREFIX}/{manifest()[name]}"


@dataclass(frozen=True, slots=True)
class _File:
    content: dict[str, bytes]
    """By encoding; the empty one is the file itself."""
    media_type: str


class StaticFiles:
    """An ASGI application that serves the built files from memory, each in the shortest form that the browser takes."""

    def __init__(self) -> None:
        self._files = {
            path.name: _read(path) for path in sorted(DIRECTORY.iterdir()) if path.suffix not in {".br", ".gz"}
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("", 405)
        file = self._files.get(scope["path"].rpartition("/")[2])
        if file is None:
            return PlainTextResponse("", 404)
        accepted = {
            part.partition(";")[0].strip() for part in Headers(scope=scope).get("accept-encoding", "").split(",")
        }
        encoding = next((name for name, _ in _SHORTEST if name in accepted and name in file.content), "")
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(file.content[encoding], media_type=file.media_type, headers=headers)


def _read(path: Path) -> _File:
    content = {"": path.read_bytes()}
    for encoding, suffix in _SHORTEST:
        compressed = path.with_name(path.name + suffix)
        if compressed.exists():
            content[encoding] = compressed.read_bytes()
    return _File(content, mimetypes.guess_type(path.name)[0] or "application/octet-stream")
