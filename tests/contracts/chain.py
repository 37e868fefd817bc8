"""A clearing house on anvil, called through its ABI: calls, events and views, at times that the test chooses.

Speaks JSON-RPC and eth-abi directly, because the state machine makes some hundred thousand calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from eth_abi.abi import decode, encode

from tongdui.audit.chain.node import Node
from tongdui.audit.model.clearing_house import Event
from tongdui.audit.model.records import Reverted
from tongdui.encoding import ZERO_WORD, bytes_of, hex_of, keccak256
from tongdui.orders import Domain, SignedOrder, execute_calldata
from tongdui.receipts import Entry

ARTIFACT = Path(__file__).parents[2] / "clearing" / "chain" / "artifacts" / "ClearingHouse.json"
GAS = 30_000_000
ENTRY_EVENTS = ("EntryPosted", "LinkedEntryPosted")

Json = dict[str, Any]
Call = tuple[Any, ...]  # the function's name, then its arguments


class RpcError(Exception):
    """The node refused a request; `data` is what the contract reverted with, if it did."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.data = bytes_of(error["data"]) if isinstance(error.get("data"), str) else b""


class Rpc:
    """A node's JSON-RPC interface over one kept connection."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)

    def __call__(self, method: str, *parameters: Any) -> Any:
        return self.many([(method, parameters)])[0]

    def many(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Makes several requests at once; they must not depend on one another."""
        body = [{"jsonrpc": "2.0", "id": n, "method": m, "params": p} for n, (m, p) in enumerate(requests)]
        answers = self._http.post("/", json=body).raise_for_status().json()
        answers.sort(key=lambda answer: int(answer["id"]))
        for answer in answers:
            if "error" in answer:
                raise RpcError(answer["error"])
        return [answer["result"] for answer in answers]

    def close(self) -> None:
        self._http.close()


class Function(NamedTuple):
    """How a function is called, and what it returns."""

    selector: bytes
    inputs: list[str]
    outputs: list[str]

    @classmethod
    def of(cls, item: Json) -> Function:
        return cls(_selector(item)[:4], _types(item["inputs"]), _types(item["outputs"]))


class ChainHouse:
    """One deployed clearing house. Every transaction is a block of its own, mined at the time it is given."""

    def __init__(self, url: str, admin_index: int, operator_name: bytes, utc_offset: int, at: int) -> None:
        artifact = json.loads(ARTIFACT.read_text())
        functions = [item for item in artifact["abi"] if item["type"] == "function"]
        self._functions = {item["name"]: Function.of(item) for item in functions}
        self._events = {_selector(item): item for item in artifact["abi"] if item["type"] == "event"}
        self._errors = {_selector(item)[:4]: item for item in artifact["abi"] if item["type"] == "error"}
        self.rpc = Rpc(url)
        self.node = Node(url)
        self.accounts: list[str] = self.rpc("eth_accounts")
        admin = self.accounts[admin_index]
        arguments = encode(["address", "bytes32", "int32"], [admin, operator_name, utc_offset])
        receipt = self._mine(at, {"from": admin, "data": artifact["bytecode"] + arguments.hex()})
        self.address = str(receipt["contractAddress"])
        self.creation = self._decode_logs(receipt["logs"])
        self.domain = Domain(int(self.rpc("eth_chainId"), 16), self.address)

    def close(self) -> None:
        self.rpc.close()
        self.node.close()

    # ---------------------------------------------------------------- transactions

    def transact(self, at: int, by: str, function: str, *arguments: Any) -> list[Event]:
        """Calls a function in a block at time `at` and returns its events; raises `Reverted` with its custom error."""
        return self._send(at, by, self.encode_call(function, *arguments))

    def execute(self, at: int, by: str, orders: Sequence[SignedOrder], evidence_of: Any) -> list[Event]:
        """Sends a batch in the SDK's encoding."""
        return self._send(at, by, execute_calldata(orders, evidence_of))

    def _send(self, at: int, by: str, data: bytes) -> list[Event]:
        transaction = {"from": by, "to": self.address, "data": hex_of(data)}
        receipt = self._mine(at, transaction)
        if int(receipt["status"], 16) == 0:
            raise self._failure(transaction)
        return self._decode_logs(receipt["logs"])

    def _mine(self, at: int, transaction: Json) -> Json:
        self.rpc("evm_setNextBlockTimestamp", at)
        receipt: Json = self.rpc("eth_sendTransactionSync", {**transaction, "gas": hex(GAS), "gasPrice": "0x0"})
        return receipt

    def _failure(self, transaction: Json) -> Exception:
        """Why the transaction in the latest block failed: the same call on that block fails in the same way."""
        try:
            self.rpc("eth_call", {**transaction, "gas": hex(GAS)}, "latest")
        except RpcError as failure:
            return self._decode_error(failure)
        return AssertionError("the transaction failed but the same call does not")

    def _decode_error(self, failure: RpcError) -> Exception:
        item = self._errors.get(failure.data[:4])
        if item is None:
            return AssertionError(f"not a custom error: {failure}, {failure.data.hex()}")
        return Reverted(item["name"], *map(_plain, decode(_types(item["inputs"]), failure.data[4:])))

    # ---------------------------------------------------------------- views

    def view(self, function: str, *arguments: Any) -> Any:
        """Calls one view in the latest block."""
        return self.views([(function, *arguments)])[0]

    def views(self, calls: Iterable[Call]) -> list[Any]:
        """Calls views in the latest block, all at once."""
        calls = list(calls)
        requests = [("eth_call", [self._to(call), "latest"]) for call in calls]
        answers = self.rpc.many(requests)
        return [self._decode_answer(call[0], answer) for call, answer in zip(calls, answers, strict=True)]

    def _to(self, call: Call) -> Json:
        return {"to": self.address, "data": hex_of(self.encode_call(*call))}

    def _decode_answer(self, function: str, answer: str) -> Any:
        values = decode(self._functions[function].outputs, bytes_of(answer))
        return _plain(values[0] if len(values) == 1 else values)

    def encode_call(self, function: str, *arguments: Any) -> bytes:
        """Calldata of a call."""
        called = self._functions[function]
        values = [astuple(a) if is_dataclass(a) and not isinstance(a, type) else a for a in arguments]
        return called.selector + encode(called.inputs, values)

    # ---------------------------------------------------------------- events

    def height(self) -> int:
        """Number of the latest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def topic(self, event: str) -> str:
        """What the logs of an event begin with."""
        return next(hex_of(topic) for topic, item in self._events.items() if item["name"] == event)

    def history(self, first: int, last: int) -> list[tuple[int, Event]]:
        """What the house said in these blocks, with the time of each: what an auditor gets who has nothing else."""
        blocks = {"fromBlock": hex(first), "toBlock": hex(last)}
        logs = self.rpc("eth_getLogs", {**blocks, "address": self.address})
        return [(int(log["blockTimestamp"], 16), self._decode_log(log)) for log in logs]

    def _decode_logs(self, logs: Sequence[Json]) -> list[Event]:
        return [self._decode_log(log) for log in logs]

    def _decode_log(self, log: Json) -> Event:
        topics = [bytes_of(topic) for topic in log["topics"]]
        data = bytes_of(log["data"])
        item = self._events[topics[0]]
        if item["name"] in ENTRY_EVENTS:
            link = topics[2] if len(topics) > 2 else ZERO_WORD
            return item["name"], (Entry.from_log("0x" + topics[1][12:].hex(), data, link),)
        inputs = item["inputs"]
        indexed = iter(decode([i["type"]], t)[0] for i, t in zip(_indexed(inputs), topics[1:], strict=True))
        others = iter(decode(_types([i for i in inputs if not i["indexed"]]), data))
        return item["name"], tuple(_plain(next(indexed if i["indexed"] else others)) for i in inputs)


def _indexed(inputs: Sequence[Json]) -> list[Json]:
    return [i for i in inputs if i["indexed"]]


def _types(inputs: Sequence[Json]) -> list[str]:
    return [_type(i) for i in inputs]


def _type(i: Json) -> str:
    if not i["type"].startswith("tuple"):
        return str(i["type"])
    return f"({','.join(_types(i['components']))}){i['type'].removeprefix('tuple')}"


def _selector(item: Json) -> bytes:
    return keccak256(f"{item['name']}({','.join(_types(item['inputs']))})".encode())


def _plain(value: Any) -> Any:
    """Tuples all the way down, so that values compare and hash."""
    return tuple(map(_plain, value)) if isinstance(value, (tuple, list)) else value
