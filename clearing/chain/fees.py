"""What a transaction pays for gas: nothing where gas is free; under EIP-1559 what the market asks, up to a ceiling."""

from __future__ import annotations

from typing import Any

from hexbytes import HexBytes

from clearing.chain.client import ChainClient
from clearing.kit.config import variable

_TIP_WEI = 1_000_000_000
_RAISE_DIVISOR = 8
"""A node accepts a replacement that pays at least a tenth more; we pay an eighth more."""


class FeesTooLow(Exception):
    """What the settings offer for gas is less than the chain takes; the message names the setting."""


class Fees:
    """The fee policy. `ceiling` is the most that a unit of gas may cost, in wei. None means that gas is free."""

    def __init__(self, client: ChainClient, ceiling: int | None) -> None:
        self._client = client
        self._ceiling = ceiling

    @property
    def free(self) -> bool:
        """Whether gas is free, so that no fee can be raised."""
        return self._ceiling is None

    def first(self) -> dict[str, Any]:
        """The fee fields of a new transaction. They stay good until the base fee has doubled."""
        if self._ceiling is None:
            return {"gasPrice": 0}
        tip = min(_TIP_WEI, self._ceiling)
        return {"maxFeePerGas": min(self._ceiling, 2 * self._base_fee() + tip), "maxPriorityFeePerGas": tip}

    def most(self) -> int:
        """The most that a unit of gas may cost a transaction of now, in wei. Raises FeesTooLow where no block would take it."""
        base_fee = self._base_fee()
        if base_fee > (self._ceiling or 0):
            is_now = "is not set, so gas is offered for nothing" if self._ceiling is None else f"is {self._ceiling} wei"
            raise FeesTooLow(
                f"{variable('max_fee_per_gas')}: {is_now}, but on this chain gas costs {base_fee} wei now; "
                f"set at least {2 * base_fee}"
            )
        return int(self.first().get("maxFeePerGas", 0))

    def raised(self, raw: bytes) -> dict[str, Any] | None:
        """The fee fields of a transaction that can replace these signed bytes; None if they would exceed the ceiling."""
        if self._ceiling is None:
            return None
        before = decoded(raw)
        tip = min(_raise(before["maxPriorityFeePerGas"]), self._ceiling)
        fee = max(_raise(before["maxFeePerGas"]), 2 * self._base_fee() + tip)
        if fee > self._ceiling and before["maxFeePerGas"] < self._ceiling:
            fee = self._ceiling
        enough = fee >= _least_replacement(before["maxFeePerGas"]) and tip >= _least_replacement(
            before["maxPriorityFeePerGas"]
        )
        return {"maxFeePerGas": fee, "maxPriorityFeePerGas": tip} if enough and fee <= self._ceiling else None

    def _base_fee(self) -> int:
        block = self._client.call("eth_getBlockByNumber", "latest", False)
        return int(block.get("baseFeePerGas") or "0x0", 16)


def decoded(raw: bytes) -> dict[str, Any]:
    """The fields of a signed EIP-1559 transaction."""
    # Takes a while to import; only where gas costs money is it needed.
    from eth_account.typed_transactions.typed_transaction import TypedTransaction

    fields: dict[str, Any] = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return fields


def _raise(wei: int) -> int:
    return wei + wei // _RAISE_DIVISOR + 1


def _least_replacement(wei: int) -> int:
    return wei + wei // 10
