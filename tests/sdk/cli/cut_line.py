"""A line to a gateway that loses the answers to what moves points: the gateway has accepted, and the caller never hears of it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_OWN_HEADERS = {"connection", "content-length", "host", "transfer-encoding", "date", "server"}


class CutLine:
    """Use it as a context manager. It passes every request on, and loses the first answers to POSTs of issuances."""

    def __init__(self, gateway: str, *, answers_to_lose: int) -> None:
        self._gateway, self._left = gateway, answers_to_lose

    def __enter__(self) -> CutLine:
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._pass_on(b"")

            def do_POST(self) -> None:
                self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

            def _pass_on(self, body: bytes) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
                answer = httpx.request(
                    self.command, line._gateway + self.path, headers=headers, content=body, timeout=60
                )
                if self.command == "POST" and self.path == "/v1/issuances" and line._left:
                    line._left -= 1
                    self.close_connection = True
                    return
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in _OWN_HEADERS | {"content-encoding"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
