"""The spans of orders in the traces of the requests that brought them (docs/decisions/0069-one-trace-an-order.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from sqlalchemy import event
from sqlalchemy.orm import Session

from clearing.kit import tracing
from clearing.kit.clock import clock_of
from clearing.ordering.orders.events import AnyOrder, Results
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from tongdui.encoding import hex_of

_NO_RESULTS: Mapping[int, Results] = {}
_NONE = Results()


def traceparents_of_orders(session: Session, orders: Sequence[AnyOrder]) -> list[str]:
    """The traceparents of those of these orders that have one. Asks nothing where this process records no spans."""
    return list(_by_seq(session, orders).values())


def traceparents_of(session: Session, subjects: Collection[str]) -> Mapping[str, str]:
    """The same by the subjects of events: ids of orders or of their movements."""
    return OrderProgressRepository(session).traceparents_of_subjects(subjects) if tracing.is_on() else {}


def trace_ends(session: Session, orders: Sequence[AnyOrder], results: Mapping[int, Results] = _NO_RESULTS) -> None:
    """Records the end of these orders once it is committed: for each a span from its acceptance until then. `results` are those of
    the block that ended them, by the order's `seq`."""
    if not (traced := _by_seq(session, orders)):
        return
    at = clock_of(session).now()
    ends = [
        partial(
            tracing.record,
            "settle",
            traced[order.seq],
            (at - order.created_at).total_seconds(),
            _attributes(order, results.get(order.seq, _NONE)),
            None if order.state is OrderState.SETTLED else order.reason or order.state,
        )
        for order in orders
        if order.seq in traced
    ]

    def record_ends(committed: Session) -> None:
        if not committed.in_nested_transaction():
            for record in ends:
                record()
            ends.clear()

    event.listen(session, "after_commit", record_ends)


def _by_seq(session: Session, orders: Sequence[AnyOrder]) -> Mapping[int, str]:
    if not (orders and tracing.is_on()):
        return {}
    return OrderProgressRepository(session).traceparents([order.seq for order in orders])


def _attributes(order: AnyOrder, results: Results) -> tracing.Attributes:
    found: dict[str, str | int] = {"tongdui.order": order.id, "tongdui.state": order.state.value}
    if order.block_number is not None:
        found["tongdui.block"] = order.block_number
    for posted in results.posted.values():
        return {**found, "tongdui.batch": posted.entry.batch, "tongdui.transaction": hex_of(posted.tx_hash)}
    return found
