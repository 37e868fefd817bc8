"""What a transaction offers for its gas: nothing where gas is free, and under EIP-1559 as much as it takes, up to a ceiling."""

from __future__ import annotations

from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from clearing.chain.client import ChainClient

_TIP = 1_000_000_000
_RAISE = 8
"""A node takes a replacement that offers at least a tenth more; we offer an eighth more."""


class Fees:
    """The fee policy. `ceiling` is the most that a unit of gas may cost, in wei; None means that gas is free."""

    def __init__(self, client: ChainClient, ceiling: int | None) -> None:
        self._client = client
        self._ceiling = ceiling

    @property
    def free(self) -> bool:
        """Whether gas is free: then nothing can be raised."""
        return self._ceiling is None

    def first(self) -> dict[str, Any]:
        """The fee fields of a new transaction: room for the base fee to double."""
        if self._ceiling is None:
            return {"gasPrice": 0}
        tip = min(_TIP, self._ceiling)
        return {"maxFeePerGas": min(self._ceiling, 2 * self._base_fee() + tip), "maxPriorityFeePerGas": tip}

    def raised(self, raw: bytes) -> dict[str, Any] | None:
        """The fee fields with which these signed bytes can be replaced; None where that would go over the ceiling."""
        if self._ceiling is None:
            return None
        before = decoded(raw)
        tip = min(_more(before["maxPriorityFeePerGas"]), self._ceiling)
        fee = max(_more(before["maxFeePerGas"]), 2 * self._base_fee() + tip)
        if fee > self._ceiling and before["maxFeePerGas"] < self._ceiling:
            fee = self._ceiling
        enough = fee >= _least(before["maxFeePerGas"]) and tip >= _least(before["maxPriorityFeePerGas"])
        return {"maxFeePerGas": fee, "maxPriorityFeePerGas": tip} if enough and fee <= self._ceiling else None

    def _base_fee(self) -> int:
        block = self._client.call("eth_getBlockByNumber", "latest", False)
        return int(block.get("baseFeePerGas") or "0x0", 16)


def decoded(raw: bytes) -> dict[str, Any]:
    """The fields of a signed EIP-1559 transaction."""
    fields: dict[str, Any] = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return fields


def _more(wei: int) -> int:
    return wei + wei // _RAISE + 1


def _least(wei: int) -> int:
    return wei + wei // 10
