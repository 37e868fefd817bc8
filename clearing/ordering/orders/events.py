"""What happened to orders, and to their movements, as both sides are notified of it. An event carries the whole object.

A large block ends thousands of movements, so everything is read and written in a few statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.events.recorder import EventRecorder, NewEvent
from clearing.kit.viewer import Viewer
from clearing.ordering.orders.facts import MovementFacts, Outcome, Posted, outcome
from clearing.ordering.orders.models import InstructionRow, Order
from clearing.ordering.orders.repository import OrderRepository

LARGEST_WHOLE_ORDER = 20
"""Events of larger orders leave out the movements, as `Prefer: return=minimal` does."""

REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Results:
    """What a block decided about an order's instructions, by item."""

    posted: Mapping[int, Posted] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)

    def of(self, order: Order, item: int) -> Outcome:
        """The outcome of one instruction."""
        return outcome(order, self.posted.get(item), self.refused.get(item))


_NONE = Results()

Row = tuple[InstructionRow, Order, Outcome]
Accepted = tuple[Order, Sequence[InstructionRow], str]
"""An order with its instructions, and who handed it in."""


class OrderEvents:
    """Records the events of orders in one session."""

    def __init__(self, session: Session) -> None:
        self._orders = OrderRepository(session)
        self._facts = MovementFacts(session)
        self._recorder = EventRecorder(session)

    def accepted_all(self, accepted: Sequence[Accepted]) -> None:
        """Records that these orders were accepted."""
        by_actor: dict[str, list[Accepted]] = defaultdict(list)
        for one in accepted:
            by_actor[one[2]].append(one)
        for actor, some in by_actor.items():
            whole = [row for order, rows, _ in some if order.size <= LARGEST_WHOLE_ORDER for row in rows]
            orders = [order for order, _, _ in some]
            self._recorder.record_all(self._of_orders(orders, {}, whole), actor=actor)

    def changed(self, orders: Sequence[Order], actor: str, results: Mapping[int, Results] | None = None) -> None:
        """Records the new state of each order for its signer, and each settled movement of two merchants for its other side.

        `results` are those of the block that ended the orders, by the order's `seq`.
        """
        results = results or {}
        rows = self._orders.rows_to_notify(orders, LARGEST_WHOLE_ORDER)
        of_orders = self._of_orders(orders, results, rows)
        self._recorder.record_all([*of_orders, *self._of_sides(orders, results, rows)], actor=actor)

    def reopened(self, orders: Sequence[Order], rows: Sequence[InstructionRow], actor: str) -> None:
        """Records that the block of these orders fell out of the chain, with what their signers need to know, and for the other
        sides each movement (of `rows`) that was settled in it."""
        whole = self._orders.rows_to_notify(orders, LARGEST_WHOLE_ORDER)
        by_seq = {order.seq: order for order in orders}
        told = [(row, by_seq[row.order_seq], outcome(by_seq[row.order_seq])) for row in rows]
        events = [*self._of_orders(orders, {}, whole, REOPENED), *self._of_movements(told, REOPENED)]
        self._recorder.record_all(events, actor=actor)

    # ---------------------------------------------------------------- for the signer

    def _of_orders(
        self,
        orders: Sequence[Order],
        results: Mapping[int, Results],
        rows: Iterable[InstructionRow],
        action: str | None = None,
    ) -> list[NewEvent]:
        movements = self._movements_of_small(orders, results, rows)
        events = []
        for order in orders:
            posted = results.get(order.seq, _NONE).posted
            tx_hash = next(iter(posted.values())).tx_hash if posted else None
            is_small = order.size <= LARGEST_WHOLE_ORDER
            shown = movements.get(order.seq, []) if is_small else None
            data = self._facts.of_order(order, len(posted), tx_hash, shown)
            events.append(NewEvent(f"order.{action or order.state}", order.id, order.merchant_number, data))
        return events

    def _movements_of_small(
        self, orders: Sequence[Order], results: Mapping[int, Results], rows: Iterable[InstructionRow]
    ) -> dict[int, list[dict[str, Any]]]:
        """The movements of orders that are small enough, by the order's `seq`."""
        small = {order.seq: order for order in orders if order.size <= LARGEST_WHOLE_ORDER}
        by_signer: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            if (order := small.get(row.order_seq)) is not None:
                result = results.get(order.seq, _NONE).of(order, row.item)
                by_signer[order.merchant_number].append((row, order, result))
        movements: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for signer, found in by_signer.items():
            for (row, _, _), shown in zip(found, self._facts.of_rows(Viewer(signer), found), strict=True):
                movements[row.order_seq].append(shown)
        return movements

    # ---------------------------------------------------------------- for the other side

    def _of_sides(
        self, orders: Sequence[Order], results: Mapping[int, Results], rows: Iterable[InstructionRow]
    ) -> Iterable[NewEvent]:
        by_seq = {order.seq: order for order in orders}
        settled: list[Row] = []
        for row in rows:
            posted = results.get(row.order_seq, _NONE).posted.get(row.item)
            if posted is not None and row.has_two_merchants:
                order = by_seq[row.order_seq]
                settled.append((row, order, Outcome(order.state, None, posted)))
        return self._of_movements(settled)

    def _of_movements(self, rows: Iterable[Row], action: str | None = None) -> Iterable[NewEvent]:
        """The receiver is notified in any case, the giver where the receiver signed: else it knows from its order."""
        received: dict[int | None, list[Row]] = defaultdict(list)
        sent: dict[int | None, list[Row]] = defaultdict(list)
        for found in rows:
            row = found[0]
            received[row.receiver].append(found)
            if row.giver != row.merchant_number:
                sent[row.giver].append(found)
        for name, sides in (("received", received), ("sent", sent)):
            for merchant, some in sides.items():
                assert merchant is not None, "a movement of two merchants has both"
                facts = self._facts.of_rows(Viewer(merchant), some)
                for (row, _, _), data in zip(some, facts, strict=True):
                    yield NewEvent(f"{data['object']}.{action or name}", row.id, merchant, data)
