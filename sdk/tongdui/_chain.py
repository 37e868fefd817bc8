"""Reads from a chain node over JSON-RPC: the few calls that check what the gateway says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from ._delivery import deliver
from ._errors import APIConnectionError, APIError
from ._flow import Flow, Request
from .encoding import address_word, bytes_of, hex_of, keccak256, word, word_text

_RETRIES = 2
"""Of the last node there is."""


@dataclass(frozen=True, slots=True)
class Node:
    """A chain node and the clearing house on it. Every read raises APIConnectionError without a usable answer.

    The URL may be of several nodes, separated by commas: the next one is asked where one does not answer. A node of another chain
    than the one that answered first is left out.
    """

    url: str
    contract: str
    timeout: float = 15.0
    block: str = "latest"
    _chains: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    """The chain of each node that was asked, in the order in which they answered."""

    def chain_id(self) -> Flow[int]:
        """The chain's id."""
        found = yield from self._ask("eth_chainId", [])
        return self._number(found)

    def has_code(self) -> Flow[bool]:
        """Whether there is any contract at the address."""
        found = yield from self._ask("eth_getCode", [self.contract, self.block])
        return isinstance(found, str) and len(found) > 2

    def root_of(self, batch: int) -> Flow[bytes]:
        """The Merkle root that the journal recorded for a batch; zero for a batch that does not exist."""
        (root,) = yield from self._view("rootOf(uint40)", word(batch), count=1)
        return root

    def merchant_of_signer(self, address: str) -> Flow[tuple[int, int, int]]:
        """Look up whose key an address is.

        Args:
            address: The key's address.

        Returns:
            The merchant's number (0 for nobody's key), and when the key begins and stops to sign, in Unix seconds.
        """
        merchant, start, end = yield from self._view("signerOf(address)", address_word(address), count=3)
        return _int(merchant), _int(start), _int(end)

    def code_of_program(self, number: int) -> Flow[str]:
        """The code of a program by its number; empty when there is no such program."""
        found = yield from self._view("programOf(uint32)", word(number), count=4)
        return word_text(found[2])

    def terms_of_agreement(self, number: int) -> Flow[tuple[bytes, ...]]:
        """The 20 words of an agreement's terms. `valid_until` is earlier after supersession or termination."""
        return (yield from self._view("agreementOf(uint32)", word(number), count=20))

    def transaction(self, tx_hash: str) -> Flow[dict[str, Any] | None]:
        """A transaction's receipt, or None when the node does not have it."""
        found = yield from self._ask("eth_getTransactionReceipt", [tx_hash])
        return found if isinstance(found, dict) else None

    def _view(self, signature: str, arguments: bytes, *, count: int) -> Flow[tuple[bytes, ...]]:
        data = hex_of(keccak256(signature.encode())[:4] + arguments)
        found = yield from self._ask("eth_call", [{"to": self.contract, "data": data}, self.block])
        try:
            raw = bytes_of(found)
        except (AttributeError, ValueError):
            raw = b""
        if len(raw) < 32 * count:
            name = signature.partition("(")[0]
            raise APIConnectionError(
                f"{self.url}: {name} at {self.contract} answered {len(raw)} bytes; is a clearing house there?"
            )
        return tuple(raw[start : start + 32] for start in range(0, 32 * count, 32))

    def _ask(self, method: str, params: list[object]) -> Flow[Any]:
        *others, last = [url.strip() for url in self.url.split(",")]
        for url in others:
            try:
                yield from self._require_same_chain(url, retries=0)
                return (yield from self._ask_one(url, method, params, retries=0))
            except (APIConnectionError, APIError):
                continue
        if others:
            yield from self._require_same_chain(last, retries=_RETRIES)
        return (yield from self._ask_one(last, method, params, retries=_RETRIES))

    def _require_same_chain(self, url: str, retries: int) -> Flow[None]:
        if url not in self._chains:
            found = yield from self._ask_one(url, "eth_chainId", [], retries)
            self._chains[url] = self._number(found)
        first, chain = next(iter(self._chains.items()))
        if self._chains[url] != chain:
            raise APIConnectionError(f"{url} is on chain {self._chains[url]}, and {first} on {chain}")

    def _ask_one(self, url: str, method: str, params: list[object], retries: int) -> Flow[Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = Request("POST", url, json=body, timeout=self.timeout)
        response = yield from deliver(request, retries, accept=range(400, 500))
        return self._result(url, method, response)

    def _result(self, url: str, method: str, response: httpx.Response) -> Any:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or "result" not in answer:
            said = answer.get("error") if isinstance(answer, dict) else response.text[:200]
            raise APIConnectionError(f"{url}: {method} failed with {response.status_code}: {said}")
        return answer["result"]

    def _number(self, found: object) -> int:
        try:
            return int(str(found), 16)
        except ValueError:
            raise APIConnectionError(f"{self.url}: {found!r} is not a number") from None


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
