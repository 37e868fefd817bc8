"""Calls the contract's views at one block, many calls to a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from tongdui.encoding import hex_of, keccak256

_CALLS_A_REQUEST = 500


class ContractViews:
    """Results of the contract's views, as of one block."""

    def __init__(self, client: ChainClient, address: str, block: int) -> None:
        self._client = client
        self._address = address
        self._block = hex(block)

    def call_each(self, signature: str, arguments: Sequence[bytes]) -> Iterator[bytes]:
        """The results of a view, one for each of these encoded arguments."""
        selector = keccak256(signature.encode())[:4]
        for start in range(0, len(arguments), _CALLS_A_REQUEST):
            calls = [
                ("eth_call", ({"to": self._address, "data": hex_of(selector + argument)}, self._block))
                for argument in arguments[start : start + _CALLS_A_REQUEST]
            ]
            for result in self._client.batch(calls):
                if isinstance(result, ChainError):
                    raise result
                yield bytes.fromhex(result[2:])

    def call(self, signature: str) -> bytes:
        """The result of a view without arguments."""
        return next(self.call_each(signature, [b""]))
