"""The merchants' webhook server while things break, and what has webhooks come again soon."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.soak.load import chance

IMPATIENT = {
    "TONGDUI_WEBHOOK_ALLOW_LOCAL": "true",
    "TONGDUI_WEBHOOK_TIMEOUT": "1",
    "TONGDUI_WEBHOOK_FIRST_RETRY": "1",
    "TONGDUI_WEBHOOK_LONGEST_RETRY": "4",
    "TONGDUI_WEBHOOK_REST": "4",
}
"""Short times, so that webhooks that a killed worker took, or that were refused, come again before the checks."""


@contextmanager
def merchants_server(seed: int) -> Iterator[tuple[str, set[str]]]:
    """Runs the merchants' webhook server; yields its URL and the ids of the events that it took. It refuses some at first."""
    rng, taken = chance(seed), set[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            refuse = rng.random() < 0.05
            if not refuse:
                taken.add(event["id"])
            self.send_response(500 if refuse else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignores errors: the soak kills workers while they send."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", taken
    finally:
        server.shutdown()
        server.server_close()
