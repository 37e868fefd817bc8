"""What happened to orders, and to their movements, as both sides are notified of it. An event carries the whole object.

A large block ends thousands of movements, so everything is read and written in a few statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from clearing.kit.events.recorder import EventRecorder, NewEvent
from clearing.kit.viewer import Viewer
from clearing.ordering.orders.facts import EntryOfBlock, MovementFacts, Outcome, Seen, outcome
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import InstructionRow, Order, OrderRow
from clearing.ordering.orders.settled_movements import SOURCE, remembered

LARGEST_WHOLE_ORDER = 20
"""Events of larger orders leave out the movements, as `Prefer: return=minimal` does."""

REOPENED = "reopened"


AnyOrder = Order | OrderRow
T = TypeVar("T")


class Accepted(NamedTuple):
    """An order that was accepted, with those of its instructions that are shown (`shown_of`), and who asked for it."""

    order: AnyOrder
    rows: Sequence[InstructionRow]
    actor: str

    @property
    def id(self) -> str:
        """The order's id."""
        return self.order.id

    @property
    def movement(self) -> str:
        """The id of its first movement."""
        return self.rows[0].id


@dataclass(frozen=True, slots=True)
class Results:
    """What a block decided about an order's instructions, by item."""

    posted: Mapping[int, EntryOfBlock] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)

    def of(self, order: AnyOrder, item: int) -> Outcome:
        """The outcome of one instruction."""
        found = self.posted.get(item)
        return outcome(order, found.posted if found is not None else None, self.refused.get(item))


_NONE = Results()
_NO_RESULTS: Mapping[int, Results] = {}

Row = tuple[InstructionRow, AnyOrder, Outcome]


class OrderEvents:
    """Records the events of orders in one session."""

    def __init__(self, session: Session) -> None:
        self._facts = MovementFacts(session)
        self._recorder = EventRecorder(session)

    def accepted(self, accepted: Sequence[Accepted]) -> None:
        """Records that these orders were accepted, in their order, with a few statements for all of them."""
        orders = [one.order for one in accepted]
        whole = [row for one in accepted if _is_small(one.order) for row in one.rows]
        events = self._events(orders, _NO_RESULTS, _of_small(orders, _NO_RESULTS, whole), [])
        self._recorder.record_all(events, actor=[one.actor for one in accepted])

    def changed(
        self,
        orders: Sequence[AnyOrder],
        rows: Sequence[InstructionRow],
        actor: str,
        results: Mapping[int, Results] | None = None,
    ) -> None:
        """Records the new state of each order for its signer, and each settled movement of two merchants for its other side.

        `rows` are the orders' instructions; those of large orders that end nowhere may be missing. `results` are those of the
        block that ended the orders, by the order's `seq`.
        """
        results = results or _NO_RESULTS
        own = _of_small(orders, results, rows)
        told = [(row, side, name) for row in rows if _is_settled(row, results) for side, name in _sides(row)]
        pairs = [(seen.viewer.merchant_number, seen.instruction.member_id) for seen in own]
        self._facts.look_up([*pairs, *((side, row.member_id) for row, side, _ in told)])
        events = [*self._events(orders, results, own, []), *map(self._of_settled, told)]
        settled_at = next((order.settled_at for order in orders), None)  # a block ends all of its orders at one moment
        self._recorder.record_all(events, actor=actor, at=settled_at)

    def reopened(
        self, orders: Sequence[Order], rows: Sequence[InstructionRow], settled: Sequence[InstructionRow], actor: str
    ) -> None:
        """Records that the block of these orders fell out of the chain, with what their signers need to know, and for the other
        sides each movement that was `settled` in it. `rows` are the orders' instructions."""
        by_seq = {order.seq: order for order in orders}
        told = [(row, by_seq[row.order_seq], outcome(by_seq[row.order_seq])) for row in settled]
        own = _of_small(orders, _NO_RESULTS, rows)
        self._recorder.record_all(self._events(orders, _NO_RESULTS, own, told, REOPENED), actor=actor)

    def _events(
        self,
        orders: Sequence[AnyOrder],
        results: Mapping[int, Results],
        own: Sequence[Seen],
        told: Sequence[Row],
        action: str | None = None,
    ) -> list[NewEvent]:
        """An event of each order for its signer, with those of its `own` movements; and events of the movements `told` for their
        other sides. All names and members are looked up together."""
        others = [Seen(Viewer(side), *movement) for movement in told for side, _ in _sides(movement[0])]
        facts = self._facts.of_rows([*own, *others])
        movements: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for seen, shown in zip(own, facts, strict=False):
            movements[seen.order.seq].append(shown)
        events = [self._of_order(order, results.get(order.seq, _NONE), movements, action) for order in orders]
        for seen, data in zip(others, facts[len(own) :], strict=True):
            assert seen.viewer.merchant_number is not None, "a movement of two merchants has both"
            type_ = f"{data['object']}.{action}"
            events.append(NewEvent(type_, seen.instruction.id, seen.viewer.merchant_number, data))
        return events

    def _of_settled(self, told: tuple[InstructionRow, int, str]) -> NewEvent:
        """The event of a movement that was settled between two merchants. Its data is made when somebody reads it."""
        row, side, name = told
        known_as = self._facts.external_id(side, row.member_id)
        return NewEvent(f"{kind_of(row.kind).noun}.{name}", row.id, side, remembered(known_as), SOURCE)

    def _of_order(
        self, order: AnyOrder, results: Results, movements: Mapping[int, list[dict[str, Any]]], action: str | None
    ) -> NewEvent:
        posted = results.posted
        tx_hash = next(iter(posted.values())).tx_hash if posted else None
        shown = movements.get(order.seq, []) if _is_small(order) else None
        data = self._facts.of_order(order, len(posted), tx_hash, shown)
        return NewEvent(f"order.{action or order.state}", order.id, order.merchant_number, data)


def shown_of(order: AnyOrder, rows: Sequence[T]) -> Sequence[T]:
    """Those of an order's instructions that events or answers show: of a large order only the first, which may name it."""
    return rows if _is_small(order) else rows[:1]


def _is_small(order: AnyOrder) -> bool:
    return order.size <= LARGEST_WHOLE_ORDER


def _of_small(orders: Sequence[AnyOrder], results: Mapping[int, Results], rows: Iterable[InstructionRow]) -> list[Seen]:
    """The movements of orders that are small enough, as their signers see them."""
    small = {order.seq: (Viewer(order.merchant_number), order) for order in orders if _is_small(order)}
    seen = []
    for row in rows:
        if (found := small.get(row.order_seq)) is not None:
            viewer, order = found
            seen.append(Seen(viewer, row, order, results.get(order.seq, _NONE).of(order, row.item)))
    return seen


def _is_settled(row: InstructionRow, results: Mapping[int, Results]) -> bool:
    """Whether it was settled between two merchants."""
    return row.has_two_merchants and row.item in results.get(row.order_seq, _NONE).posted


def _sides(row: InstructionRow) -> list[tuple[int, str]]:
    """Who else is notified of a movement of two merchants, and of what: the receiver in any case, the giver where the receiver
    signed, because else it knows from its order."""
    assert row.receiver is not None, "a movement of two merchants has both"
    assert row.giver is not None, "a movement of two merchants has both"
    received = (row.receiver, "received")
    return [received] if row.giver == row.merchant_number else [received, (row.giver, "sent")]
