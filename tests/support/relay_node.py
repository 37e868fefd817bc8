"""A node that passes questions on to a real one until it falls ill: it freezes, falls behind, lies about blocks, or goes away."""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import Any

from tests.support.limited_node import LimitedNode, Refusal


class Mood(StrEnum):
    """How a node is."""

    WELL = "well"
    FROZEN = "takes questions and answers none"
    BEHIND = "knows no block that came later"
    FORKED = "has other blocks"
    STRANGE = "has another first block"
    BARE = "knows no contract"
    SYNCING = "has its first block only"
    ODD = "says what is no number of a block"
    AWAY = "answers nothing but errors of its proxy"


_BY_NUMBER = ("eth_getBlockByNumber", "eth_getBlockReceipts")


class RelayNode(LimitedNode):
    """Stands before the node at `url`."""

    def __init__(self, url: str) -> None:
        super().__init__(url, largest=1_000, refusal=Refusal.STATUS)
        self._mood, self._head = Mood.WELL, 0
        self._thaw = threading.Event()
        self._thaw.set()

    def be(self, mood: Mood) -> None:
        """Changes how it is."""
        self._head = int(self._pass_on("eth_blockNumber")["result"], 16)
        self._mood = mood
        (self._thaw.clear if mood is Mood.FROZEN else self._thaw.set)()

    def _answer(self, body: Any) -> tuple[int, Any]:
        self._thaw.wait()
        return (503, {}) if self._mood is Mood.AWAY else super()._answer(body)

    def _one(self, request: dict[str, Any]) -> Any:
        method, params = request["method"], request["params"]
        if self._mood is Mood.SYNCING and method == "eth_getBlockByNumber":
            request["params"] = ["0x0", False]
        answer = super()._one(request)
        if self._mood is Mood.BEHIND:
            if method == "eth_blockNumber":
                answer["result"] = hex(self._head)
            elif method in _BY_NUMBER and params[0] != "latest" and int(params[0], 16) > self._head:
                answer["result"] = None
        if self._mood is Mood.STRANGE and method == "eth_getBlockByNumber" and params[0] == "0x0":
            answer["result"]["hash"] = "0x" + "cd" * 32
        if self._mood in (Mood.BARE, Mood.SYNCING) and method == "eth_getCode":
            answer["result"] = "0x"
        if self._mood is Mood.ODD and method == "eth_blockNumber":
            answer["result"] = None
        if self._mood is Mood.FORKED and method == "eth_getBlockByNumber" and params[0] != "0x0" and answer["result"]:
            answer["result"]["hash"] = "0x" + "ab" * 32
        return answer

    def _pass_on(self, method: str) -> Any:
        return self._node.post("/", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).json()
