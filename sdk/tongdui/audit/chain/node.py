"""Asks a chain node over JSON-RPC, in as large arrays as it answers, and compares what several nodes say about the same blocks.

An answer that does not come is `CannotCheck`, with a sentence that names the node and what to do. Nothing here is proven.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from ..._flow import tls
from ..findings import CannotCheck, Finding, Place

RULES = {
    "nodes.behind": "every node has the newest blocks that another one has, or that the audit asks for",
    "nodes.differ": "all nodes have the same blocks",
}

Json = dict[str, Any]

TIMEOUT = 30.0
"""Seconds that a node has for an answer."""

_WAITS = (0.25, 1.0, 3.0)
"""Seconds before each further try, where a node did not answer a single request."""
_FIRST_SIZE, _MOST = 8, 256
"""Requests of one method in an array: how many at first, and at most. Besu accepts no more than 1,024."""
_TRY_AGAIN_AFTER = 16
"""Arrays in a row of the greatest length that the node did not refuse, after which a longer one is tried."""
_LARGE = 6_000_000
"""Bytes of an answer from which arrays become shorter. They grow below a third of it."""

_METHOD_MISSING = -32601
_LIMITS = (-32005, -32003)
"""What nodes say when an array or its answer is too large, or requests come too fast."""
_BUSY = re.compile(r"too (large|many|big|long)|limit|exceed|timed? ?out|busy|overloaded|try again|batch", re.IGNORECASE)
_MISSING = re.compile(r"method .*(not|n't|un)|unknown method|unsupported method|not supported", re.IGNORECASE)
_NO_HISTORY = re.compile(
    r"missing trie node|pruned|(block|header|state|history|world state|root).*(not (found|available)|unavailable|unknown)"
    r"|unknown block|(distance|window).*(state|block|proof)|archive|BlockOutOfRange",
    re.IGNORECASE,
)
_TRANSIENT = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


class NodeRefused(CannotCheck):
    """The node answered a request with an error."""

    def __init__(self, node: str, method: str, code: int, message: str) -> None:
        self.node, self.method, self.code, self.message = node, method, code, message
        super().__init__(self._sentence())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.node, self.method, self.code, self.message)

    @property
    def lacks_method(self) -> bool:
        """Whether the node does not know the method at all."""
        return self.code == _METHOD_MISSING or bool(_MISSING.search(self.message))

    @property
    def lacks_history(self) -> bool:
        """Whether the node does not, or no longer, have the block or its state."""
        return not self.lacks_method and bool(_NO_HISTORY.search(self.message))

    def _sentence(self) -> str:
        said = f"{self.message} (code {self.code})"
        if self.lacks_method:
            return f"The node at {self.node} does not offer {self.method}: {said}. Name one that does with --rpc."
        if self.lacks_history:
            return (
                f"The node at {self.node} does not have what {self.method} asks for: {said}. "
                "It keeps no history that far back. Name an archive node with --rpc."
            )
        return f"The node at {self.node} refused {self.method}: {said}."


class _NotNow(Exception):
    """No answer to this array, now. It may come to a shorter one, or later."""

    def __init__(
        self, why: str, *, shortest: bool = False, wait: float = 0.0, refused: NodeRefused | None = None
    ) -> None:
        super().__init__(why)
        self.shortest = shortest
        self.wait = wait
        self.refused = refused


class _Pace:
    """How many requests of one method go into an array: ever more, but after a refusal half as many, and for long no more."""

    def __init__(self) -> None:
        self.size = _FIRST_SIZE
        self._most = _MOST
        self._successes = 0

    def answered(self, requests: int, size: int) -> None:
        """An array was answered with so many bytes."""
        if size > _LARGE:
            self.size = max(1, requests // 2)
        elif size * 3 < _LARGE and requests == self.size:
            self._successes += 1
            if self._successes >= _TRY_AGAIN_AFTER:
                self._successes = 0
                self._most = min(_MOST, 2 * self._most)
            self.size = min(self._most, 2 * self.size)

    def refused(self, requests: int, *, shortest: bool) -> None:
        """An array was not answered."""
        self._most = max(1, requests // 2)
        self._successes = 0
        self.size = 1 if shortest else self._most


class Node:
    """A node's JSON-RPC interface over one kept connection. Not for several threads at once."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CannotCheck(f"{url!r} is not the address of a node. It begins with http:// or https://.")
        self.url = url
        self.timeout = timeout
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        """The address without what may be secret in it: user, password, and paths that hold keys."""
        self._http = httpx.Client(timeout=timeout, verify=tls())
        self._paces: defaultdict[str, _Pace] = defaultdict(_Pace)
        self._answered = False

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The result of one request.

        Raises:
            NodeRefused: The node answered with an error.
            CannotCheck: It did not answer, or not as a node does.
        """
        return self.ask_all(method, [params])[0]

    def ask_all(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many requests of one method, in their order, in arrays of the length that suits the node.

        Raises:
            NodeRefused: The node answered one of them with an error.
            CannotCheck: It did not answer, or not as a node does.
        """
        answers: list[Any] = []
        failures = 0
        while len(answers) < len(params):
            part = params[len(answers) : len(answers) + self._paces[method].size]
            try:
                answers += self._results(method, part)
                failures = 0
            except _NotNow as trouble:
                if len(part) > 1:
                    self._paces[method].refused(len(part), shortest=trouble.shortest)
                    time.sleep(trouble.wait)
                    continue
                if failures == len(_WAITS):
                    self._give_up(method, trouble)
                time.sleep(max(trouble.wait, _WAITS[failures]))
                failures += 1
        return answers

    # ---------------------------------------------------------------- blocks

    def chain_id(self) -> int:
        """The chain's id."""
        return self.quantity(self.ask("eth_chainId"), "eth_chainId")

    def newest(self) -> int:
        """Number of the newest block that the node has."""
        return self.quantity(self.ask("eth_blockNumber"), "eth_blockNumber")

    def header(self, number: int) -> Json:
        """A block without its transactions, as the node writes it.

        Raises:
            CannotCheck: The node does not have it.
        """
        return self.headers([number])[0]

    def headers(self, numbers: Sequence[int]) -> list[Json]:
        """Blocks without their transactions, as the node writes them.

        Raises:
            CannotCheck: The node does not have one of them.
        """
        found = self.ask_all("eth_getBlockByNumber", [[hex(number), False] for number in numbers])
        for number, block in zip(numbers, found, strict=True):
            self.require_block(block, number)
            if not isinstance(block, dict):
                self._no_node(f"its answer about block {number} is {str(block)[:40]!r} and no block")
        return found

    def require_block(self, answer: Any, number: int) -> None:
        """Checks that the node had an answer about a block: nodes say null about blocks that they do not have."""
        if answer is None:
            raise CannotCheck(
                f"The node at {self.name} does not have block {number}, or no longer all of it. End earlier with --to, "
                "or name a node with the whole history with --rpc."
            )

    def block_at(self, moment: int) -> int:
        """Number of the last block that is not later than a time in Unix seconds.

        Raises:
            CannotCheck: The chain began after that.
        """
        low, high = 0, self.newest()
        if self._time_of(low) > moment:
            raise CannotCheck(
                f"The chain of the node at {self.name} begins after {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC: "
                "give a later time or day."
            )
        return _last(low, high, lambda number: self._time_of(number) <= moment)

    def created_at(self, contract: str, last: int) -> int | None:
        """The first block after which there is code at an address, up to block `last`. None if the node does not know.

        Only a hint where to begin: it cannot be proven, and a node without history cannot say it.

        Raises:
            CannotCheck: After block `last` there is no code at the address.
        """
        if not self._has_code(contract, last):
            raise CannotCheck(
                f"There is no contract at {contract} after block {last} of chain {self.chain_id()}, says the node at {self.name}. "
                "Check the address with --contract, and that --rpc names a node of the right chain."
            )
        try:
            if self._has_code(contract, 0):
                return 0
            return _last(0, last, lambda number: not self._has_code(contract, number)) + 1
        except NodeRefused:
            return None

    def quantity(self, answer: Any, method: str) -> int:
        """The number that an answer is.

        Raises:
            CannotCheck: It is none.
        """
        try:
            number = int(answer, 16)
        except (TypeError, ValueError):
            number = -1
        if number < 0:
            self._no_node(f"its answer to {method} is {str(answer)[:40]!r} and no number")
        return number

    def _time_of(self, number: int) -> int:
        return self.quantity(self.header(number).get("timestamp"), "eth_getBlockByNumber")

    def _has_code(self, contract: str, number: int) -> bool:
        return bool(self.ask("eth_getCode", [contract, hex(number)]) not in ("0x", None))

    # ---------------------------------------------------------------- one exchange

    def _results(self, method: str, part: Sequence[Sequence[Any]]) -> list[Any]:
        """Sends one array, or one request alone."""
        requests = [{"jsonrpc": "2.0", "id": n, "method": method, "params": p} for n, p in enumerate(part)]
        raw = self._exchange(json.dumps(requests if len(part) > 1 else requests[0]).encode())
        results = self._unpacked(method, raw, len(part))
        self._answered = True
        self._paces[method].answered(len(part), len(raw))
        return results

    def _exchange(self, body: bytes) -> bytes:
        try:
            response = self._http.post(self.url, content=body, headers={"content-type": "application/json"})
        except httpx.ConnectError as error:
            if self._answered:
                raise _NotNow(f"it can no longer be reached ({error})") from error
            raise CannotCheck(
                f"No node answers at {self.name} ({error}). Check the address with --rpc, and that the node runs."
            ) from error
        except httpx.TimeoutException as error:
            raise _NotNow(f"it took more than {self.timeout:g} seconds", shortest=True) from error
        except httpx.TransportError as error:
            raise _NotNow(f"the connection broke ({error})") from error
        if response.status_code in _TRANSIENT:
            raise _NotNow(f"it answered HTTP {response.status_code}", wait=_retry_after(response))
        if response.is_success or _is_json(response):
            return response.content
        return self._no_node(f"it answered HTTP {response.status_code}")

    def _unpacked(self, method: str, raw: bytes, count: int) -> list[Any]:
        try:
            answers = json.loads(raw)
        except ValueError:
            self._no_node("its answer is no JSON")
        if isinstance(answers, dict):
            answers = [answers]
            if count > 1:  # one answer to the whole array
                self._result(method, answers[0])
                self._no_node("it answers an array of requests with a single result")
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            self._no_node("its answer is neither an object nor an array of objects")
        by_id = {answer.get("id"): answer for answer in answers}
        if set(by_id) != set(range(count)) or len(answers) != count:
            # Some nodes answer as an error without an id what they could not read, or leave out what got too long.
            for answer in answers:
                self._result(method, answer)
            raise _NotNow("its answers do not belong to the requests: their ids differ")
        return [self._result(method, by_id[number]) for number in range(count)]

    def _result(self, method: str, answer: Json) -> Any:
        if "error" not in answer or (answer["error"] is None and "result" in answer):
            if "result" not in answer:
                self._no_node("its answer has neither a result nor an error")
            return answer["result"]
        error = answer["error"] if isinstance(answer["error"], dict) else {"message": str(answer["error"])}
        code = error.get("code")
        refused = NodeRefused(self.name, method, code if isinstance(code, int) else 0, str(error.get("message", "")))
        final = refused.lacks_method or refused.lacks_history
        if not final and (refused.code in _LIMITS or _BUSY.search(refused.message)):
            raise _NotNow(f"it refused with {refused.message!r}", refused=refused)
        raise refused

    def _no_node(self, why: str) -> NoReturn:
        raise CannotCheck(
            f"What answers at {self.name} does not speak JSON-RPC as a chain node does: {why}. "
            "Name the HTTP endpoint of a node with --rpc."
        )

    def _give_up(self, method: str, trouble: _NotNow) -> NoReturn:
        if trouble.refused is not None:
            raise trouble.refused
        raise CannotCheck(
            f"The node at {self.name} did not answer {method} in {len(_WAITS) + 1} tries: {trouble}. "
            "Try later or name another node with --rpc; with --state the audit goes on where it stopped."
        ) from trouble


def _is_json(response: httpx.Response) -> bool:
    """Whether there is a JSON-RPC answer in a response with an error status; some nodes send both."""
    try:
        return "error" in response.json()
    except (ValueError, TypeError):
        return False


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the node asks to wait, half a minute at most. Half a second if it does not say; none if only size matters."""
    if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return 0.0
    asked = response.headers.get("retry-after", "")
    return min(30.0, float(asked)) if asked.isdigit() else 0.5


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The last number up to `high` for which something holds that holds for `low` and, once it does not, never again."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


# ---------------------------------------------------------------- several nodes


def require_same_chain(nodes: Sequence[Node], chain_id: int | None = None) -> int:
    """The id of the chain that all nodes are on.

    Raises:
        CannotCheck: They are on different chains, or not on the chain `chain_id`.
    """
    wanted, by = (
        (nodes[0].chain_id(), f"the node at {nodes[0].name}") if chain_id is None else (chain_id, "you asked for it")
    )
    for node in nodes:
        found = node.chain_id()
        if found != wanted:
            raise CannotCheck(
                f"The node at {node.name} is on chain {found}, not on chain {wanted} ({by}). Name nodes of one chain with --rpc."
            )
    return wanted


def find_behind(nodes: Sequence[Node], last: int | None = None, patience: float = 10.0) -> tuple[int, list[Finding]]:
    """Looks for nodes that stand behind the others, or behind block `last`, or hide the newest blocks.

    Args:
        nodes: The nodes.
        last: The block that all must have. By default, the newest that one of them has.
        patience: Seconds that a node gets to catch up.

    Returns:
        The block up to which all nodes can be asked, and a finding for each node that stays behind `last`.
    """
    heights = {node.name: node.newest() for node in nodes}
    wanted = max(heights.values()) if last is None else last
    give_up = time.monotonic() + patience
    while min(heights.values()) < wanted and time.monotonic() < give_up:
        time.sleep(min(0.2, patience))
        heights = {node.name: max(heights[node.name], node.newest()) for node in nodes}
    findings = [
        Finding(
            "nodes.behind",
            f"the node at {name}",
            f"block {wanted}, as " + ("the audit asks for" if last is not None else "another node has"),
            f"block {height} is its newest: it stands still, or hides what came later",
            Place(block=height),
        )
        for name, height in heights.items()
        if height < wanted
    ]
    return min(wanted, *heights.values()), findings


def find_differing(nodes: Sequence[Node], last: int) -> list[Finding]:
    """Compares the hash of block `last` in all nodes. Where it differs, looks for the first block that does.

    The hash of a block covers all blocks before it, so nodes that agree on it agree on the whole history.
    """
    return [finding for other in nodes[1:] for finding in _differing(nodes[0], other, last)]


def _differing(one: Node, other: Node, last: int) -> list[Finding]:
    def agree(number: int) -> bool:
        return _hash_of(one, number) == _hash_of(other, number)

    if agree(last):
        return []
    number = _last(0, last, agree) + 1 if agree(0) else 0
    return [
        Finding(
            "nodes.differ",
            f"block {number}, the first that differs in the nodes at {one.name} and {other.name}",
            f"hash {_hash_of(one, number)}, as the first node says",
            f"hash {_hash_of(other, number)}, as the second says",
            Place(block=number),
        )
    ]


def _hash_of(node: Node, number: int) -> str:
    return str(node.header(number).get("hash")).lower()
