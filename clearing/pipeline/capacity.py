"""How many orders go into one batch: by instructions, gas and bytes, and fewer after a batch that ran out of gas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from clearing.kit.config import Settings
from clearing.ordering.orders.limits import NOTHING_KNOWN, GasMeter, Savings, bytes_of_proofs
from clearing.ordering.orders.models import QueuedOrder

SavingsOf = Callable[[Sequence[QueuedOrder]], Mapping[int, Savings]]
"""Looks up what is known of orders that makes them cheaper, by `seq`."""


class BatchCapacity:
    """How many instructions the next batch may have. It shrinks when a batch does not fit and grows again as batches succeed.

    The estimate of a batch's gas is sure (`limits`), so no batch should run out of gas. Should one do so all the same, those
    after it are tried out before they are sent, until one of them is mined. Others that are mined meanwhile show nothing: they were
    signed before.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.limit = settings.batch_max_instructions
        self.careful = False
        """Whether a batch is tried out before it is sent, and only one is in flight at a time."""

    @property
    def is_full(self) -> bool:
        """Whether nothing has made it smaller, so that a success teaches nothing."""
        return self.limit == self._settings.batch_max_instructions and not self.careful

    def choose(self, queue: Sequence[QueuedOrder], gas: int, savings_of: SavingsOf) -> list[QueuedOrder]:
        """The first orders of the queue that go into one batch; always one, if there is any.

        What is known of them is looked up only where they would need too much gas without.
        """
        queue = self._within_limits(queue)
        chosen = _within_gas(queue, gas, {})
        return chosen if len(chosen) == len(queue) else _within_gas(queue, gas, savings_of(queue))

    def _within_limits(self, queue: Sequence[QueuedOrder]) -> Sequence[QueuedOrder]:
        size = length = 0
        for place, order in enumerate(queue):
            size += order.row.size
            length += len(order.packed) + bytes_of_proofs(order.load)
            if place and (size > self.limit or length > self._settings.batch_max_bytes):
                return queue[:place]
        return queue

    def halve(self, size: int) -> None:
        """A batch of `size` instructions does not fit."""
        self.limit = max(1, min(size, self.limit) // 2)

    def batch_failed(self) -> None:
        """A batch was mined and reverted: from now on batches are tried out first."""
        self.careful = True

    def batch_succeeded(self, *, tried: bool) -> None:
        """A batch was mined and did not revert; whether it had been tried out."""
        if self.careful and not tried:
            return
        self.limit = min(self._settings.batch_max_instructions, self.limit * 2)
        if self.limit == self._settings.batch_max_instructions:
            self.careful = False


def _within_gas(queue: Sequence[QueuedOrder], gas: int, savings: Mapping[int, Savings]) -> list[QueuedOrder]:
    meter = GasMeter()

    def fits(order: QueuedOrder) -> bool:
        meter.add(order.load, savings.get(order.row.seq, NOTHING_KNOWN))
        return meter.gas <= gas

    return list(takewhile(fits, queue)) or list(queue[:1])
