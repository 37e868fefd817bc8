"""How many orders go into one batch: by instructions, gas and bytes, and fewer after a batch that ran out of gas."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.kit.config import Settings
from clearing.ordering.orders import limits
from clearing.ordering.orders.models import QueuedOrder
from tongdui.orders import Kind

_EVIDENCE_BYTES = 32 * 24
"""An entry with a proof of sixteen hashes."""


class BatchCapacity:
    """How many instructions the next batch may have. It shrinks when a batch does not fit and grows again as batches succeed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.limit = settings.batch_max_instructions
        self.careful = False
        """Whether a batch is tried out before it is sent, and only one is in flight at a time."""

    @property
    def is_full(self) -> bool:
        """Whether nothing has made it smaller, so that a success teaches nothing."""
        return self.limit == self._settings.batch_max_instructions and not self.careful

    def choose(self, queue: Sequence[QueuedOrder], gas: int) -> list[QueuedOrder]:
        """The first orders of the queue that go into one batch; always one, if there is any."""
        chosen: list[QueuedOrder] = []
        size, cost, length = 0, limits.BATCH_GAS, 0
        for order in queue:
            size += order.row.size
            cost += _gas(order)
            length += _bytes(order)
            if chosen and (size > self.limit or cost > gas or length > self._settings.batch_max_bytes):
                break
            chosen.append(order)
        return chosen

    def halve(self, size: int) -> None:
        """A batch of `size` instructions does not fit."""
        self.limit = max(1, min(size, self.limit) // 2)

    def batch_failed(self) -> None:
        """A batch was mined and reverted: from now on batches are tried out first."""
        self.careful = True

    def batch_succeeded(self) -> None:
        """A batch was mined and did not revert."""
        self.limit = min(self._settings.batch_max_instructions, self.limit * 2)
        if self.limit == self._settings.batch_max_instructions:
            self.careful = False


def _gas(order: QueuedOrder) -> int:
    return limits.gas_of(order.kinds)


def _bytes(order: QueuedOrder) -> int:
    return len(order.packed) + order.kinds[Kind.REVERSE] * _EVIDENCE_BYTES
