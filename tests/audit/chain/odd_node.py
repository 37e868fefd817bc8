"""A server that answers requests to a node as a test says, however odd: over real sockets, with nothing behind it."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = bytes | tuple[int, bytes]
"""A body, with an HTTP status if that is not 200. Without any, the connection breaks."""


@contextmanager
def odd_node(respond: Callable[[Any], Answer]) -> Iterator[str]:
    """Runs one, and yields its address. `respond` gets what was asked, from JSON."""

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self._head():
                size = next(int(line[15:]) for line in head if line.startswith(b"content-length:"))
                answer = respond(json.loads(self.rfile.read(size)))
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                if not body:
                    return
                self.wfile.write(b"HTTP/1.1 %d So\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))

        def _head(self) -> list[bytes]:
            lines: list[bytes] = []
            while (line := self.rfile.readline().strip().lower()) or not lines:
                if not line:
                    return []
                lines.append(line)
            return lines

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def results(asked: Any, result: Callable[[str, list[Any]], Any]) -> bytes:
    """Answers to what was asked, each with the result for its method and parameters. An exception's text is an error."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return {**said, "result": result(request["method"], request["params"])}
        except ValueError as error:
            code, message = error.args
            return {**said, "error": {"code": code, "message": message}}

    return json.dumps([answer(one) for one in asked] if isinstance(asked, list) else answer(asked)).encode()
