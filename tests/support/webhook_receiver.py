"""A merchant's server: keeps every webhook that it gets, and answers as the test wants."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Request"], int | bytes]


@dataclass(frozen=True)
class Request:
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class WebhookReceiver:
    """Use it as a context manager. `reply` returns the status, or the raw bytes, that answer a request."""

    reply: Reply = lambda _: 200
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    """The requests that it answered with 200."""

    def __enter__(self) -> WebhookReceiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request({name.lower(): value for name, value in self.headers.items()}, raw)
                receiver.requests.append(request)
                answer = receiver.reply(request)
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                    return
                if answer == 200:
                    receiver.seen.append(request)
                self.send_response(answer)
                self.end_headers()
                self.wfile.write(b"thank you")

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that hangs up is part of the test."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"
