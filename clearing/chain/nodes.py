"""The nodes of one chain: whoever asks is answered by the first of them that is well.

A question goes to the node in use. Where that does not answer, the next one is asked, and is in use from then on. Meanwhile a
thread looks at all of them: a node that has fallen behind the others is left, and one that stands earlier in the list is used again
once it has been well for two looks and lacks nothing that the others had a look ago. A node of another chain is never asked. With
one node there is nothing to look at, and no thread.
"""

from __future__ import annotations

import queue
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpcore
import structlog
from pydantic_core import from_json, to_json

from clearing.chain.errors import ChainUnreachable, TooLarge
from tongdui._flow import tls

log = structlog.get_logger(__name__)

_LOOK_EVERY = 2.0
_LOOK_TIMEOUT = 2.0
CONNECT_TIMEOUT = 5.0
_MOST_TO_SHOW = 1_000
MAX_BEHIND = 3
"""How many blocks a node may be behind where the best one was a look ago."""
_TOO_LARGE_STATUSES = (400, 413)
_NO_ANSWER = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


class Node:
    """A connection to one node."""

    def __init__(self, url: str, timeout: float, connect_timeout: float) -> None:
        """`timeout`: how many seconds an answer may take; `connect_timeout`: a connection, at most as many."""
        self._url, headers = _without_credentials(url)
        is_secure = self._url.startswith("https:")
        # httpx' own transport: what httpx does around each request takes longer than a node does for most of them.
        self._pool = httpcore.ConnectionPool(ssl_context=tls() if is_secure else None)
        self._headers = [(b"Content-Type", b"application/json"), *headers]
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self.name = urlsplit(self._url).netloc

    def close(self) -> None:
        """Closes the connection."""
        self._pool.close()

    def exchange(self, payload: Any, timeout: float | None = None) -> Any:
        """What the node answers to one request, or to a list of them. Raises ChainUnreachable, or TooLarge for a list."""
        seconds = timeout or self._timeout
        waits = {"connect": min(seconds, self._connect_timeout), **dict.fromkeys(("read", "write", "pool"), seconds)}
        try:
            response = self._pool.request(
                "POST", self._url, headers=self._headers, content=to_json(payload), extensions={"timeout": waits}
            )
            if response.status in _TOO_LARGE_STATUSES and isinstance(payload, list):
                raise TooLarge
            if not 200 <= response.status < 300:
                raise ChainUnreachable(f"the chain node does not answer: it says {response.status}")
            return from_json(response.content, cache_strings="keys")
        except (*_NO_ANSWER, ValueError) as error:
            raise ChainUnreachable(f"the chain node does not answer: {error}") from error


class Nodes:
    """Several nodes of one chain, the preferred one first."""

    def __init__(self, urls: Sequence[str], timeout: float, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        self._nodes = [Node(url, timeout, connect_timeout) for url in urls]
        self._heads: list[int | None] = [None] * len(urls)
        """The newest block of each, where it said so when it was last looked at."""
        self._best = 0
        """The best of them when they were looked at the time before."""
        self._are_ours: list[bool | None] = [None] * len(urls)
        self._chain: tuple[Any, Any] | None = None
        """Chain id and first block: what the first node said that answered."""
        self._current = 0
        self._to_show: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._watch: threading.Thread | None = None
        self._is_closed = False
        self._lock = threading.RLock()

    def close(self) -> None:
        """Closes all connections."""
        self._is_closed = True
        self._to_show.put(None)
        for node in self._nodes:
            node.close()

    def ask(self, payload: Any) -> Any:
        """What the first node that answers says. Raises ChainUnreachable if there is none, TooLarge for a list."""
        if len(self._nodes) == 1:
            return self._nodes[0].exchange(payload)
        self._look_out()
        first, failure = self._current, ChainUnreachable("the chain node does not answer")
        for index in (first, *(index for index in range(len(self._nodes)) if index != first)):
            try:
                if not self._is_ours(index):
                    continue
                answer = self._nodes[index].exchange(payload)
            except ChainUnreachable as error:
                failure = error
                continue
            self._use(index, instead_of=first, why="it does not answer")
            return answer
        raise failure

    def show(self, payload: Any) -> None:
        """Lets the nodes know that are not in use, as far as they are well; nobody waits for their answers."""
        if self._to_show.qsize() < _MOST_TO_SHOW:
            self._to_show.put(payload)

    # ---------------------------------------------------------------- looking

    def _look_out(self) -> None:
        """Has the nodes looked at from now on. (A process that was forked has no thread.)"""
        if self._watch is not None and self._watch.is_alive():
            return
        with self._lock:
            if self._watch is None or not self._watch.is_alive():
                self._look(is_first=True)
                self._watch = threading.Thread(target=self._keep_looking, name="chain-nodes", daemon=True)
                self._watch.start()

    def _keep_looking(self) -> None:
        next_look = time.monotonic() + _LOOK_EVERY
        while not self._is_closed:
            left = next_look - time.monotonic()
            if left <= 0:
                self._look()
                next_look = time.monotonic() + _LOOK_EVERY
                continue
            with suppress(queue.Empty):
                payload = self._to_show.get(timeout=left)
                if payload is not None:
                    self._show(payload)

    def _show(self, payload: Any) -> None:
        for index, node in enumerate(self._nodes):
            if index != self._current and self._heads[index] is not None:
                try:
                    node.exchange(payload, _LOOK_TIMEOUT)
                except ChainUnreachable:
                    self._heads[index] = None  # until it is looked at again

    def _look(self, *, is_first: bool = False) -> None:
        before = self._well()
        self._best = max((head for head in self._heads if head is not None), default=0)
        self._heads = [self._head(index) for index in range(len(self._nodes))]
        well = self._well()
        current = self._current
        if well and current not in well:
            self._use(well[0], instead_of=current, why="it does not answer, or is behind")
            return
        # A node that was started again answers at once, a few blocks behind, and may have no peers to get the next ones from.
        caught_up = [index for index in self._well(max_behind=0) if is_first or index in before]
        if caught_up and caught_up[0] < current:
            self._use(caught_up[0], instead_of=current, why="an earlier one is well again")

    def _well(self, max_behind: int = MAX_BEHIND) -> list[int]:
        """Those that are up to date as far as we know, in the order of preference."""
        least = self._best - max_behind
        return [index for index, head in enumerate(self._heads) if head is not None and head >= least]

    def _head(self, index: int) -> int | None:
        """A node's newest block; None where it does not say, or is of another chain."""
        try:
            return int(self._result(index, "eth_blockNumber"), 16) if self._is_ours(index) else None
        except (ChainUnreachable, TypeError, ValueError):  # or it says what is no number
            return None

    def _is_ours(self, index: int) -> bool:
        """Whether a node is of the chain that the others are of: by chain id and first block. Raises ChainUnreachable."""
        if self._are_ours[index] is None:
            genesis = self._result(index, "eth_getBlockByNumber", "0x0", False)
            if not isinstance(genesis, dict) or "hash" not in genesis:
                raise ChainUnreachable("the chain node does not say what its first block is")
            chain = self._result(index, "eth_chainId"), genesis["hash"]
            with self._lock:
                self._chain = self._chain or chain
                self._are_ours[index] = chain == self._chain
            if chain != self._chain:
                log.error("a node is of another chain than the others: it is not asked", node=self._nodes[index].name)
        return bool(self._are_ours[index])

    def _result(self, index: int, method: str, *params: Any) -> Any:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self._nodes[index].exchange(question, _LOOK_TIMEOUT)
        if not isinstance(answer, dict) or "result" not in answer:
            raise ChainUnreachable(f"the chain node does not answer {method}")
        return answer["result"]

    def _use(self, index: int, *, instead_of: int, why: str) -> None:
        """Asks this node from now on, unless somebody has chosen meanwhile."""
        with self._lock:
            if index == instead_of or self._current != instead_of:
                return
            self._current = index
        log.warning(
            "another chain node is used", node=self._nodes[index].name, why=f"{self._nodes[instead_of].name}: {why}"
        )


def _without_credentials(url: str) -> tuple[str, list[tuple[bytes, bytes]]]:
    """The address without its `user:password@`, and the header that says the same."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, [(b"Authorization", b"Basic " + b64encode(pair.encode()))]
