"""A node that allows less than ours: it passes questions on to a real one, and refuses what it does not like as known nodes do."""

from __future__ import annotations

import json
import threading
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import httpx


class Refusal(StrEnum):
    """How it refuses a batch that is too large."""

    AN_ANSWER_FOR_ALL = "an error in the place of the list"
    FIRST_ALONE = "a list with an error for the first request alone"
    WHAT_DOES_NOT_FIT = "an error for each request beyond the limit"
    NOT_ALL = "a list that lacks answers"
    STATUS = "413"


class LimitedNode:
    """Stands before the node at `url`. `largest`: the most requests that it takes in one batch; `without`: methods it lacks;
    `searches`: in how many blocks it looks for logs; `remembers`: the states of how many blocks it has, the newest ones."""

    def __init__(
        self,
        url: str,
        *,
        largest: int = 1_000,
        refusal: Refusal = Refusal.STATUS,
        without: tuple[str, ...] = (),
        searches: int | None = None,
        remembers: int | None = None,
    ) -> None:
        self.largest, self._refusal, self._without = largest, refusal, without
        self._searches, self._remembers = searches, remembers
        self._node = httpx.Client(base_url=url, timeout=60)
        self._lock = threading.Lock()
        self.refused = 0
        """How many batches."""
        self.batches = 0
        """How many batches it has taken."""
        self.asked: list[str] = []
        """The methods that it was asked for."""
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = node._answer(body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._node.close()

    def _answer(self, body: Any) -> tuple[int, Any]:
        if isinstance(body, dict):
            return 200, self._one(body)
        if len(body) <= self.largest:
            with self._lock:
                self.batches += 1
            return 200, [self._one(one) for one in body]
        with self._lock:
            self.refused += 1
        too_many = {"code": -32600, "message": "batch too large"}
        match self._refusal:
            case Refusal.AN_ANSWER_FOR_ALL:
                return 200, {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "no batches"}}
            case Refusal.FIRST_ALONE:
                return 200, [{"jsonrpc": "2.0", "id": body[0]["id"], "error": too_many}]
            case Refusal.WHAT_DOES_NOT_FIT:
                too_large = {"code": -32003, "message": "response too large"}
                fits, others = body[: self.largest], body[self.largest :]
                refused = [{"jsonrpc": "2.0", "id": one["id"], "error": too_large} for one in others]
                return 200, [*map(self._one, fits), *refused]
            case Refusal.NOT_ALL:
                return 200, [self._one(one) for one in body[: self.largest]]
            case Refusal.STATUS:
                return 413, {}

    def _one(self, request: dict[str, Any]) -> Any:
        with self._lock:
            self.asked.append(request["method"])
        error = self._error(request["method"], request["params"])
        if error is not None:
            return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        return self._node.post("/", json=request).json()

    def _error(self, method: str, parameters: list[Any]) -> dict[str, Any] | None:
        if method in self._without:
            return {"code": -32601, "message": f"the method {method} does not exist/is not available"}
        if method == "eth_getLogs" and self._searches is not None:
            first, last = (self._number(parameters[0][end]) for end in ("fromBlock", "toBlock"))
            if last - first >= self._searches:
                return {"code": -32005, "message": f"query exceeds max block range {self._searches}"}
        if method == "eth_getCode" and self._remembers is not None:
            head = self._number("latest")
            if head - (head if parameters[1] == "latest" else int(parameters[1], 16)) >= self._remembers:
                return {"code": -32000, "message": "missing trie node 1b2f (path ) state 0x1b2f is not available"}
        return None

    def _number(self, block: str) -> int:
        if block.startswith("0x"):
            return int(block, 16)
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        return int(self._node.post("/", json=asked).json()["result"], 16)
