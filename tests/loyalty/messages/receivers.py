"""Services that take messages: a web server that keeps what it was sent, and a mail server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class WebService:
    """What a service was sent, as whom it was for, title and body. `answers` says how it answers the next requests."""

    port: int = 0
    got: list[tuple[str, str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """What stands in the file of channels."""
        return f"json://127.0.0.1:{self.port}/messages?-to={{to}}"


@contextmanager
def web_service() -> Iterator[WebService]:
    """A service on a port of its own."""
    service = WebService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = service.answers.pop(0) if service.answers else 200
            if status == 200:
                to = parse_qs(urlsplit(self.path).query)["to"][0]
                service.got.append((to, content["title"], content["message"]))
            service.before_answer()
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def channels_file(path: Path, **urls: str) -> Path:
    """The file of channels, in this order."""
    lines = "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    path.write_text(f"[channels]\n{lines}")
    return path
