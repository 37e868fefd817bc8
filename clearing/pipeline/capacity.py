"""How many orders go into one batch: by instructions, gas and bytes, and fewer after a batch that ran out of gas."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from clearing.kit.config import Settings
from clearing.ordering.orders import limits
from clearing.ordering.orders.models import QueuedOrder
from tongdui.orders import Kind

_EVIDENCE_BYTES = 32 * 24
"""An entry with a proof of sixteen hashes."""
_RECENT = 16
"""The need of so many batches is remembered."""
_ENOUGH = 4
"""From so many on it counts."""
_MARGIN_PERCENT = 130
"""Of the highest need among them, what the next batch may need."""


class BatchCapacity:
    """How many instructions the next batch may have. It shrinks when a batch does not fit and grows again as batches succeed.

    The estimate of a batch's gas is sure, because it supposes that every account is empty. Where that is what keeps orders out, it
    learns how much of it batches really need. The first order of a batch fits by the sure estimate, so one that needs more than
    was learned is sent again without the others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.limit = settings.batch_max_instructions
        self.careful = False
        """Whether a batch is tried out before it is sent, and only one is in flight at a time."""
        self.is_tight = False
        """Whether the queue had more for the last batch than fits by the sure estimate of gas."""
        self._needs: deque[int] = deque(maxlen=_RECENT)
        """Percent of the sure estimate that the last batches needed."""

    @property
    def is_full(self) -> bool:
        """Whether nothing has made it smaller, so that a success teaches nothing."""
        return self.limit == self._settings.batch_max_instructions and not self.careful

    def choose(self, queue: Sequence[QueuedOrder], gas: int) -> list[QueuedOrder]:
        """The first orders of the queue that go into one batch; always one, if there is any."""
        chosen: list[QueuedOrder] = []
        size, cost, length = 0, limits.BATCH_GAS, 0
        percent = self._percent()
        for order in queue:
            size += order.row.size
            cost += _gas(order)
            length += _bytes(order)
            if chosen and (size > self.limit or cost * percent > 100 * gas or length > self._settings.batch_max_bytes):
                break
            chosen.append(order)
        self.is_tight = cost > gas
        return chosen

    def learn(self, sure_gas: int, gas_used: int) -> None:
        """A batch was mined whose sure estimate was this, and used so much."""
        self._needs.append(-(-100 * gas_used // sure_gas))

    def _percent(self) -> int:
        """Of the sure estimate, what is taken into account."""
        if self.careful or len(self._needs) < _ENOUGH:
            return 100
        return min(100, -(-max(self._needs) * _MARGIN_PERCENT // 100))

    def halve(self, size: int) -> None:
        """A batch of `size` instructions does not fit."""
        self.limit = max(1, min(size, self.limit) // 2)
        self._needs.clear()

    def batch_failed(self) -> None:
        """A batch was mined and reverted: from now on batches are tried out first."""
        self.careful = True
        self._needs.clear()

    def batch_succeeded(self) -> None:
        """A batch was mined and did not revert."""
        self.limit = min(self._settings.batch_max_instructions, self.limit * 2)
        if self.limit == self._settings.batch_max_instructions:
            self.careful = False


def sure_gas_of(orders: Iterable[QueuedOrder]) -> int:
    """The most gas that a batch of these orders can need."""
    return limits.BATCH_GAS + sum(map(_gas, orders))


def _gas(order: QueuedOrder) -> int:
    return limits.gas_of(order.kinds)


def _bytes(order: QueuedOrder) -> int:
    return len(order.packed) + order.kinds[Kind.REVERSE] * _EVIDENCE_BYTES
