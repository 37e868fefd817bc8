"""A node that lies: real HTTP in front of a real node, whose answers it changes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Json = dict[str, Any]
Lie = Callable[[str, list[Any], Any], Any]
"""What is said instead, given the method, its parameters and the true result. Raises `Refusal` to say no."""


class Refusal(Exception):
    """The node answers with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class LyingNode:
    """What stands between the auditor and the truth."""

    truth: str
    lie: Lie = lambda method, params, result: result
    most_in_a_batch: int = 10_000
    """A larger batch is refused as a whole."""
    sleep: float = 0.0
    """Seconds before each answer."""
    asked: list[str] = field(default_factory=list)
    """Methods, in order."""
    url: str = ""

    def answer(self, body: Any) -> Any:
        """The answer to a request, or to a batch of them."""
        time.sleep(self.sleep)
        if isinstance(body, list) and len(body) > self.most_in_a_batch:
            return _failed(None, -32_005, f"batch of {len(body)} is over the limit of {self.most_in_a_batch}")
        answers = _http.post(self.truth, json=body).raise_for_status().json()
        if not isinstance(body, list):
            return self._changed(body, answers)
        by_id = {request["id"]: request for request in body}
        return [self._changed(by_id[answer["id"]], answer) for answer in answers]

    def _changed(self, request: Json, answer: Json) -> Json:
        self.asked.append(request["method"])
        if "result" not in answer:
            return answer
        try:
            return {**answer, "result": self.lie(request["method"], request.get("params", []), answer["result"])}
        except Refusal as refusal:
            return _failed(request["id"], refusal.code, str(refusal))


@contextmanager
def lying_node(truth: str, **settings: Any) -> Iterator[LyingNode]:
    """Runs one in front of another node."""
    node = LyingNode(truth, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body would wait until the head was received

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            raw = json.dumps(node.answer(body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Whoever asked has not waited for the answer."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    node.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _failed(number: Any, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


_http = httpx.Client(timeout=60)
