"""How much gas an order may need, and whether one transaction can hold it."""

from __future__ import annotations

from collections.abc import Mapping

from tongdui.orders import Kind

BATCH_GAS = 150_000
_ORDER_GAS = 7_500
_INSTRUCTION_GAS = {
    Kind.ISSUE: 28_500,
    Kind.REDEEM: 14_000,
    Kind.EXCHANGE: 37_000,
    Kind.SPEND: 20_000,
    Kind.TRANSFER: 36_000,
    Kind.REVERSE: 68_000,
    Kind.EXPIRE: 14_000,
}
"""Gas of an instruction with its bytes, in an order of hundreds, for an empty account (twice the usual cost; a captured
hold's link takes 520 of it). Should an estimate be too low all the same, the batch fails, and the sequencer tries smaller ones
before it sends them."""


def fits_alone(kinds: Mapping[int, int], gas: int) -> bool:
    """Whether a transaction of so much gas can hold an order with so many instructions of each kind."""
    return BATCH_GAS + gas_of(kinds) <= gas


def gas_of(kinds: Mapping[int, int]) -> int:
    """Gas of an order with so many instructions of each kind, beside the batch's own."""
    return _ORDER_GAS + sum(_INSTRUCTION_GAS[Kind(kind)] * count for kind, count in kinds.items())
