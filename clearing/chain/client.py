"""JSON-RPC to a chain node: the few methods that we need, batched, with typed results. Knows nothing of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from clearing.chain.errors import ChainError, ChainUnreachable, TooLarge
from clearing.chain.nodes import CONNECT_TIMEOUT, Nodes
from clearing.kit.config import Settings
from tongdui.encoding import bytes_of, hex_of

log = structlog.get_logger(__name__)

_TOO_LARGE = ((-32600, "batch"), (-32003, "response"))
"""Codes and words of what is too large. The codes alone say other things, too, such as that a transaction was refused."""
_TRY_MORE_AFTER = 1_000
"""Full batches after which twice as many requests are tried: what has refused more may have been a passing fault."""
_UNKNOWN_METHOD = (-32601, -32604, -32004)
"""How nodes say that they lack a method, or were told not to offer it."""


class Log(NamedTuple):
    """A log entry of the contract, not decoded. A tuple, because a block has hundreds of them."""

    topics: tuple[bytes, ...]
    data: bytes
    index: int  # type: ignore[assignment]
    """In its block. (Nobody looks for a value in this tuple.)"""
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a transaction in a block."""

    tx_hash: bytes
    succeeded: bool
    gas_used: int
    block_number: int
    sender: str = ""
    """The address whose key has signed it."""


@dataclass(frozen=True, slots=True)
class BlockData:
    """A block with its transactions' receipts and one contract's logs."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    receipts: tuple[Receipt, ...]
    logs: tuple[Log, ...]


class NewestBlock(NamedTuple):
    """The newest block of a node: its number, and its time in Unix seconds."""

    number: int
    timestamp: int


class Standing(NamedTuple):
    """Which chain a node follows, and its newest block: the number, and its time in Unix seconds."""

    chain_id: int
    head: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Tip:
    """Where a node is, as seen by somebody who has read the chain up to some block."""

    head: int
    """The number of the newest block."""
    known_hash: bytes | None
    """The hash of the block up to which the chain was read, as the node has it; None if its chain is not that long."""
    following: BlockData | None
    """The block after that, if there is one."""


Call = tuple[str, Sequence[Any]]
"""A method and its parameters."""


class ChainClient:
    """Asks the chain's node, or the first of several that is well."""

    _most_at_once: int | None = None
    """How many requests the node takes in one batch, as far as it has refused some."""
    _fitted = 0
    """How many batches of so many it has taken since."""
    _has_block_receipts = True

    def __init__(self, url: str, *, timeout: float = 30.0, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        """`url`: of one node, or of several, separated by commas, the preferred one first. `timeout`: seconds for an answer, and
        `connect_timeout` for a connection."""
        self._urls = [one.strip() for one in url.split(",")]
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._nodes = Nodes(self._urls, timeout, connect_timeout)
        self._each: list[ChainClient] = []
        self._ids = count(1)

    @classmethod
    def of(cls, settings: Settings, *, timeout: float | None = None) -> ChainClient:
        """A client of the nodes that the settings name, with their time-outs; or with another one for answers."""
        waits = timeout or settings.rpc_timeout
        return cls(settings.rpc_url, timeout=waits, connect_timeout=min(waits, settings.rpc_connect_timeout))

    def close(self) -> None:
        """Closes the connections."""
        self._nodes.close()
        for client in self._each:
            client.close()

    @property
    def where(self) -> str:
        """Where the nodes are; the rest of a URL may hold a secret."""
        return " or ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self._urls)

    def each(self) -> Sequence[ChainClient]:
        """A client of each node alone, for whoever asks all of them."""
        if len(self._urls) == 1:
            return [self]
        self._each = self._each or [
            ChainClient(url, timeout=self._timeout, connect_timeout=self._connect_timeout) for url in self._urls
        ]
        return self._each

    def call(self, method: str, *params: Any) -> Any:
        """Makes one request. Raises ChainError or ChainUnreachable."""
        return _result(method, self._post(self._request(method, params)))

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Makes several requests in one round trip. Each element is a result or a ChainError."""
        if not calls:
            return []
        requests = [self._request(method, params) for method, params in calls]
        answers: dict[int, Any] = {}
        waiting = requests
        while waiting:
            together = waiting[: self._most_at_once]
            answered = self._answers(together)
            self._learn(len(together), len(answered))
            answers |= answered
            waiting = [request for request in waiting if request["id"] not in answers]
        results: list[Any] = []
        for (method, _), request in zip(calls, requests, strict=True):
            try:
                results.append(_result(method, answers[request["id"]]))
            except ChainError as error:
                results.append(error)
        return results

    def _learn(self, asked: int, answered: int) -> None:
        """What a batch says of how many requests the node takes at once."""
        if answered < asked:
            self._most_at_once, self._fitted = max(1, asked // 2), 0
            log.warning("the node does not take so many requests at once", requests=asked)
        elif asked == self._most_at_once:
            self._fitted += 1
            if self._fitted == _TRY_MORE_AFTER:
                self._most_at_once, self._fitted = 2 * asked, 0

    def _answers(self, requests: list[dict[str, Any]]) -> dict[int, Any]:
        """The answers by the requests' ids; not all of them where there are too many for one batch."""
        if len(requests) == 1:  # some nodes know no batches
            return {requests[0]["id"]: self._post(requests[0])}
        try:
            answers = self._post(requests)
        except TooLarge:
            return {}
        if not isinstance(answers, list):  # one error for all
            return {}
        asked = {request["id"] for request in requests}
        found = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        return {asked_id: found[asked_id] for asked_id in asked & found.keys() if not _is_too_much(found[asked_id])}

    # ---------------------------------------------------------------- reading

    def chain_id(self) -> int:
        """The node's chain id."""
        return int(self.call("eth_chainId"), 16)

    def standing(self) -> Standing:
        """The node's chain and its newest block, in one round trip."""
        chain_id, block = self.batch([("eth_chainId", ()), ("eth_getBlockByNumber", ("latest", False))])
        for result in (chain_id, block):
            if isinstance(result, ChainError):
                raise result
        return Standing(int(chain_id, 16), int(block["number"], 16), int(block["timestamp"], 16))

    def head(self) -> int:
        """The number of the newest block."""
        return int(self.call("eth_blockNumber"), 16)

    def newest_block(self) -> NewestBlock:
        """The newest block."""
        block = self.call("eth_getBlockByNumber", "latest", False)
        return NewestBlock(int(block["number"], 16), int(block["timestamp"], 16))

    def block_hash(self, number: int) -> bytes | None:
        """The hash of a block; None if the chain is not that long."""
        block = self.call("eth_getBlockByNumber", hex(number), False)
        return bytes_of(block["hash"]) if block else None

    def next_nonce(self, address: str, block: str = "latest") -> int:
        """The nonce of the next transaction of `address`: how many it has in the blocks up to `block`."""
        return int(self.call("eth_getTransactionCount", address, block), 16)

    def balance(self, address: str) -> int:
        """What `address` has, in wei."""
        return int(self.call("eth_getBalance", address, "latest"), 16)

    def has_code(self, address: str, block: int | str = "latest") -> bool:
        """Whether a contract stands at `address`, by number or name of the block."""
        return bool(self.call("eth_getCode", address, hex(block) if isinstance(block, int) else block) != "0x")

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The outcome of a transaction; None while no block contains it."""
        receipt = self.call("eth_getTransactionReceipt", hex_of(tx_hash))
        return _receipt(receipt) if receipt is not None else None

    def tip(self, known: int, contract: str | None) -> Tip:
        """Where the node is, in one round trip: whoever follows the chain asks often, and mostly there is at most one new block.

        Without a `contract` the following block is left out.
        """
        calls: list[Call] = [
            ("eth_blockNumber", ()),
            ("eth_getBlockByNumber", (hex(known), False)),
        ]
        (head, read), following = self._read([known + 1] if contract is not None else [], calls)
        for result in (head, read):
            if isinstance(result, ChainError):
                raise result
        return Tip(
            head=int(head, 16),
            known_hash=bytes_of(read["hash"]) if read else None,
            following=_complete(*following[0], contract) if contract is not None else None,
        )

    def blocks(self, first: int, last: int, contract: str) -> list[BlockData]:
        """Blocks with receipts and the logs of `contract`, in one round trip. Stops at the first block that is missing."""
        _, found = self._read(range(first, last + 1))
        blocks = []
        for block, receipts in found:
            for result in (block, receipts):
                if isinstance(result, ChainError):
                    raise result
            complete = _complete(block, receipts, contract)
            if complete is None:
                break
            blocks.append(complete)
        return blocks

    def _read(self, numbers: Sequence[int], before: Sequence[Call] = ()) -> tuple[list[Any], list[tuple[Any, Any]]]:
        """The results of these calls, and each block with its receipts, in as few round trips as the node allows."""
        blocks: list[Call] = [("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        if self._has_block_receipts:
            receipts: list[Call] = [("eth_getBlockReceipts", (hex(number),)) for number in numbers]
            results = self.batch([*before, *blocks, *receipts])
            first, last = len(before), len(before) + len(blocks)
            if not any(isinstance(found, ChainError) and found.code in _UNKNOWN_METHOD for found in results[last:]):
                return results[:first], list(zip(results[first:last], results[last:], strict=True))
            self._has_block_receipts = False
            log.warning("the node has no eth_getBlockReceipts: receipts are read one by one")
        results = self.batch([*before, *blocks])
        return results[: len(before)], self._with_receipts(results[len(before) :])

    def _with_receipts(self, blocks: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Each block with its receipts, or with the error of one of them, or None where the node lacks one."""
        asked = [block["transactions"] if isinstance(block, dict) else () for block in blocks]
        calls: list[Call] = [("eth_getTransactionReceipt", (tx_hash,)) for hashes in asked for tx_hash in hashes]
        results = iter(self.batch(calls))
        found = []
        for block, hashes in zip(blocks, asked, strict=True):
            receipts = [next(results) for _ in hashes]
            errors = (receipt for receipt in receipts if isinstance(receipt, ChainError))
            found.append((block, next(errors, None if None in receipts else receipts)))
        return found

    def agreed(self, blocks: list[BlockData], quorum: int) -> list[BlockData]:
        """Those of these blocks, from the first on, that at least so many nodes have. They follow one another."""
        if quorum <= 1 or not blocks:
            return blocks
        votes = [0] * len(blocks)
        for node in self.each():
            with suppress(ChainUnreachable):
                hashes = node.batch([("eth_getBlockByNumber", (hex(block.number), False)) for block in blocks])
                for place, (block, found) in enumerate(zip(blocks, hashes, strict=True)):
                    votes[place] += isinstance(found, dict) and bytes_of(found["hash"]) == block.hash
        return blocks[: next((place for place, found in enumerate(votes) if found < quorum), len(blocks))]

    def eth_call(self, to: str, data: bytes) -> bytes:
        """The result of a read-only call at the newest block."""
        return bytes_of(self.call("eth_call", {"to": to, "data": hex_of(data)}, "latest"))

    # ---------------------------------------------------------------- writing

    def send_raw(self, transactions: Sequence[bytes]) -> list[ChainError | None]:
        """Sends signed transactions in one round trip, and shows them to the other nodes, too. Each element is None, or the error
        with which the node in use refused it."""
        calls = [("eth_sendRawTransaction", (hex_of(raw),)) for raw in transactions]
        results = self.batch(calls)
        self._show(calls)
        return [result if isinstance(result, ChainError) else None for result in results]

    # ---------------------------------------------------------------- transport

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, payload: Any) -> Any:
        return self._nodes.ask(payload)

    def _show(self, calls: Sequence[Call]) -> None:
        for method, params in calls if len(self._urls) > 1 else ():
            self._nodes.show(self._request(method, params))


def _result(method: str, response: Any) -> Any:
    if not isinstance(response, dict) or not response.keys() & {"result", "error"}:
        raise ChainUnreachable("the chain node does not answer: what it says is no JSON-RPC")
    error = response.get("error")
    if error:
        raise ChainError(method, error.get("code", 0), error.get("message", ""), error.get("data"))
    return response["result"]


def _is_too_much(answer: dict[str, Any]) -> bool:
    """Whether the answer to one of many requests says that it, or the batch, is too large."""
    error = answer.get("error") or {}
    code, message = error.get("code"), str(error.get("message", "")).lower()
    return any(code == known and word in message for known, word in _TOO_LARGE)


def _complete(block: Any, receipts: Any, contract: str) -> BlockData | None:
    """The block with its receipts; None where the node does not have both, or has replaced the block between our two reads: the
    next step sees the new one."""
    if not block or receipts is None or isinstance(block, ChainError) or isinstance(receipts, ChainError):
        return None
    if len(receipts) != len(block["transactions"]) or any(r["blockHash"] != block["hash"] for r in receipts):
        return None
    return _block_data(block, receipts, contract)


def _block_data(block: dict[str, Any], receipts: list[dict[str, Any]], contract: str) -> BlockData:
    number, wanted = int(block["number"], 16), contract.lower()
    return BlockData(
        number=number,
        hash=bytes_of(block["hash"]),
        parent_hash=bytes_of(block["parentHash"]),
        timestamp=int(block["timestamp"], 16),
        receipts=tuple(map(_receipt, receipts)),
        logs=tuple(
            Log(
                tuple(map(bytes_of, log["topics"])),
                bytes_of(log["data"]),
                int(log["logIndex"], 16),
                tx_hash,
            )
            for receipt in receipts
            for tx_hash in (bytes_of(receipt["transactionHash"]),)
            for log in receipt["logs"]
            if log["address"].lower() == wanted
        ),
    )


def _receipt(receipt: dict[str, Any]) -> Receipt:
    return Receipt(
        tx_hash=bytes_of(receipt["transactionHash"]),
        succeeded=receipt["status"] == "0x1",
        gas_used=int(receipt["gasUsed"], 16),
        block_number=int(receipt["blockNumber"], 16),
        sender=receipt["from"],
    )
