"""A way to the gateway, or to a node, that is as bad as networks are: it loses answers, holds requests up, or counts them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_PER_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "accept-encoding", "host"}


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass(slots=True)
class Way:
    """A server that hands requests on to the gateway."""

    gateway: str
    url: str = ""
    loses: str = "nothing"
    """The requests whose answers get lost after they have arrived: method and path begin so."""
    seen: list[str] = field(default_factory=list)
    """Method and path of each request."""
    goes_on: threading.Event = field(default_factory=_set)
    """Cleared, it holds every request up until it is set again."""


@contextmanager
def way_to(gateway: str) -> Iterator[Way]:
    """A way to this gateway."""
    way = Way(gateway)
    with httpx.Client(base_url=gateway, timeout=60) as http:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                line = f"{self.command} {self.path}"
                way.seen.append(line)
                way.goes_on.wait()
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _PER_HOP}
                answer = http.request(self.command, self.path, content=body, headers=headers)
                if line.startswith(way.loses):
                    self.close_connection = True
                    return
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in _PER_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 (the names that the library looks for)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        way.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield way
        finally:
            server.shutdown()
            server.server_close()
            thread.join(30)
