"""Orders as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.ledger.journal.models import Batch
from clearing.ordering.orders.models import Movement, Order
from clearing.ordering.orders.movements import MovementService
from gateway.api.movements.view import movement_view
from gateway.api.orders.schemas import OrderView
from gateway.http.context import Call, ChainResource, Shown


def order_view(call: Call, order: Order, movements: Sequence[Movement]) -> OrderView:
    """An order with its movements."""
    batch = next((movement.batch for movement in movements if movement.batch), None)
    settled = sum(movement.entry is not None for movement in movements)
    shown = [movement_view(call, movement) for movement in movements]
    return order_summary(call, order, settled, batch).model_copy(update={"movements": shown})


def order_summary(call: Call, order: Order, settled: int, batch: Batch | None) -> OrderView:
    """An order without its movements."""
    return OrderView(
        id=order.id,
        state=order.state,
        merchant=call.names.merchant(order.merchant_number),
        nonce=order.nonce,
        deadline=order.deadline,
        atomic=order.atomic,
        digest=order.digest,
        reason=order.reason,
        size=order.size,
        rejected_count=order.size - settled if order.state.is_final else 0,
        movements=None,
        created_at=order.created_at,
        settled_at=order.settled_at,
        tx_hash=batch.tx_hash if batch else None,
        block_number=order.block_number,
    )


def _show(call: Call, order_id: str) -> Shown[OrderView]:
    movements = MovementService(call.session)
    order = movements.order(call.viewer, order_id)
    is_open = not order.state.is_final
    if call.minimal:
        return Shown(order_summary(call, order, *movements.summary_of(order)), is_open)
    return Shown(order_view(call, order, movements.movements_of(order)), is_open)


ORDERS = ChainResource("ord", "orders", _show, open_status=202)
