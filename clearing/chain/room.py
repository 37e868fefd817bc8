"""How much goes into one transaction: by instructions, gas and bytes; less after one that failed for want of gas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tongdui.orders import Kind

from ..config import Settings
from ..orders.models import Order

_BATCH_GAS = 150_000
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
"""With their bytes, for members who have nothing of the program yet (twice the usual), in an order of hundreds. Where they are
too low all the same, the batch fails, and smaller ones are tried out before they are sent."""

"""With a link, which most do not have."""

_EVIDENCE_BYTES = 32 * 24
"""An entry with a proof of sixteen hashes."""


class Room:
    """How many instructions the next batch may have. Shrinks when one does not fit; grows again as batches are mined."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.limit = settings.batch_max_instructions
        self.careful = False
        """Whether batches are to be tried out, one at a time, before they are sent."""

    def choose(self, queue: Sequence[Order], gas: int) -> list[Order]:
        """The first orders of the queue that go into one batch; always one, if there is any."""
        chosen: list[Order] = []
        size, cost, length = 0, _BATCH_GAS, 0
        for order in queue:
            size += order.size
            cost += _gas(order)
            length += _bytes(order)
            if chosen and (size > self.limit or cost > gas or length > self._settings.batch_max_bytes):
                break
            chosen.append(order)
        return chosen

    def failed(self) -> None:
        """A batch was mined and failed: from now on they are tried out first."""
        self.careful = True

    def halve(self, size: int) -> None:
        """A batch of `size` instructions does not fit."""
        self.limit = max(1, min(size, self.limit) // 2)

    def settled(self) -> None:
        """A batch was mined and did not fail."""
        self.limit = min(self._settings.batch_max_instructions, self.limit * 2)
        if self.limit == self._settings.batch_max_instructions:
            self.careful = False


def fits_alone(kinds: Mapping[int, int], gas: int) -> bool:
    """Whether an order of so many instructions of each kind gets into a transaction of so much gas."""
    return _BATCH_GAS + _gas_of(kinds) <= gas


def _gas(order: Order) -> int:
    return _gas_of(order.kinds())


def _gas_of(kinds: Mapping[int, int]) -> int:
    return _ORDER_GAS + sum(_INSTRUCTION_GAS[Kind(kind)] * count for kind, count in kinds.items())


def _bytes(order: Order) -> int:
    return len(order.packed) + order.kinds()[Kind.REVERSE] * _EVIDENCE_BYTES
