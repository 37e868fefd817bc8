"""Asks a chain node about one contract: no database, no gateway, no code of the server. The audit itself is `tongdui.audit`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tongdui.encoding import bytes_of, hex_of, keccak256

MERCHANT_REGISTERED = "MerchantRegistered(uint32,uint96,bytes32)"
AGREEMENT_REGISTERED = (
    "AgreementRegistered(uint32,bytes32,(uint8,uint8,uint16,uint16,uint32,uint32,uint32,uint32,uint40,uint40,"
    "uint32,uint32,uint64,uint64,uint64,uint32,uint32,uint40,bool,bytes32),bytes,bytes)"
)
DEPOSITED = "Deposited(uint32,uint96,bytes32)"


@dataclass(frozen=True, slots=True)
class Log:
    """A chain event: its indexed arguments, its data, and its place on the chain."""

    topics: tuple[bytes, ...]
    data: bytes
    tx_hash: str
    block_number: int


class Node:
    """A chain node and one contract on it. Only reads, many in one round trip."""

    def __init__(self, rpc_url: str, contract: str) -> None:
        self._http = httpx.Client(base_url=rpc_url, timeout=30, transport=httpx.HTTPTransport(verify=False))
        self.contract = contract

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def view(self, signature: str, arguments: bytes = b"") -> bytes:
        """Returns the result of a view of the contract."""
        return self.views(signature, [arguments])[0]

    def views(self, signature: str, arguments: Sequence[bytes]) -> list[bytes]:
        """Returns a view's result for each of the arguments."""
        selector = keccak256(signature.encode())[:4]
        calls = [{"to": self.contract, "data": hex_of(selector + given)} for given in arguments]
        return [bytes_of(found) for found in self._ask("eth_call", [[call, "latest"] for call in calls])]

    def numbers(self, signature: str, arguments: Sequence[bytes]) -> list[int]:
        """Returns the first word of each result as a number."""
        return [number(found) for found in self.views(signature, arguments)]

    def logs(self, event: str) -> list[Log]:
        """Returns all logs of an event, oldest first."""
        topic = hex_of(keccak256(event.encode()))
        wanted = {"address": self.contract, "fromBlock": "0x0", "toBlock": "latest", "topics": [topic]}
        return [
            Log(
                topics=tuple(bytes_of(topic) for topic in log["topics"][1:]),
                data=bytes_of(log["data"]),
                tx_hash=log["transactionHash"],
                block_number=int(log["blockNumber"], 16),
            )
            for log in self._ask("eth_getLogs", [[wanted]])[0]
        ]

    def gas_used(self, transactions: Iterable[str]) -> dict[str, int]:
        """Returns the gas that each transaction used, from its receipt on the chain."""
        hashes = list(dict.fromkeys(transactions))
        found = self._ask("eth_getTransactionReceipt", [[tx_hash] for tx_hash in hashes])
        return {tx_hash: int(receipt["gasUsed"], 16) for tx_hash, receipt in zip(hashes, found, strict=True)}

    def _ask(self, method: str, params: Sequence[list[Any]]) -> list[Any]:
        results: list[Any] = []
        for start in range(0, len(params), 200):
            some = params[start : start + 200]
            body = [{"jsonrpc": "2.0", "id": i, "method": method, "params": p} for i, p in enumerate(some)]
            answers = {answer["id"]: answer for answer in self._http.post("", json=body).raise_for_status().json()}
            results += [answers[i]["result"] for i in range(len(body))]
        return results


def number(raw: bytes, at: int = 0, *, signed: bool = False) -> int:
    """Reads one word of ABI-encoded data as a number."""
    return int.from_bytes(raw[32 * at : 32 * at + 32], "big", signed=signed)
