"""Whose turn it is: merchants share the batches evenly, whatever each of them hands in."""

from __future__ import annotations

from collections.abc import Iterable

from clearing.ordering.orders.models import OrderRow


class Turns:
    """Start-time fair queueing: each merchant has a mark, which its orders move on by their instructions, and the lowest is next.

    So whatever others hand in, an order waits for no more instructions of each of them than its own merchant has before it, and one
    order. The marks are in memory: to a sequencer that has just started all merchants are even.
    """

    def __init__(self) -> None:
        self._now = 0
        """The mark at which the last order began. A merchant that had nothing waiting saves nothing up: it begins here."""
        self._marks: dict[int, int] = {}

    def ahead(self) -> dict[int, int]:
        """By how many instructions merchants are ahead; all others are not."""
        return {merchant: mark - self._now for merchant, mark in self._marks.items()}

    def note(self, orders: Iterable[OrderRow]) -> None:
        """These orders had their turn, in this order."""
        for order in orders:
            began = max(self._now, self._marks.get(order.merchant_number, 0))
            self._now, self._marks[order.merchant_number] = began, began + order.size
        self._marks = {merchant: mark for merchant, mark in self._marks.items() if mark > self._now}
