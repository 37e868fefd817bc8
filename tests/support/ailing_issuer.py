"""An issuer (OpenID Connect) that is not well: it gives the answers that a test wants, or none."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from joserfc.jwk import KeySet, RSAKey


class AilingIssuer(ThreadingHTTPServer):
    """An issuer that gives these answers, whatever it is asked; None holds the request until `released`."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, Any] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers = list(answers)
        self.asked: list[str] = []
        self.released = Event()
        Thread(target=self.serve_forever, daemon=True).start()

    def described(self, **changes: Any) -> tuple[int, Any]:
        """Its word about itself."""
        endpoints = {name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        return 200, {"issuer": self.url, **endpoints, **changes}

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: AilingIssuer

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append(self.path)
        answer = self.server.answers.pop(0) if self.server.answers else None
        if answer is None:
            self.server.released.wait(600)
        status, content = answer or (500, None)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 (the name that http.server calls)

    def log_message(self, *_: object) -> None:
        pass


def some_keys() -> tuple[int, Any]:
    """Keys of some issuer."""
    return 200, KeySet([RSAKey.generate_key(2_048)]).as_dict(private=False)
