"""Orders as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.ledger.journal.models import Batch
from clearing.ordering.orders.facts import MovementFacts
from clearing.ordering.orders.models import Movement, Order
from clearing.ordering.orders.movements import MovementService
from gateway.api.orders.schemas import OrderView
from gateway.http.context import Asked, Call, ChainResource, Shown


def order_view(call: Call, order: Order, movements: Sequence[Movement]) -> OrderView:
    """An order with its movements."""
    batch = next((movement.batch for movement in movements if movement.batch), None)
    settled = sum(movement.entry is not None for movement in movements)
    facts = MovementFacts(call.session, call.names)
    shown = facts.of(call.viewer, movements)
    return OrderView.model_validate(facts.of_order(order, settled, batch.tx_hash if batch else None, shown))


def order_summary(call: Call, order: Order, settled: int, batch: Batch | None) -> OrderView:
    """An order without its movements."""
    facts = MovementFacts(call.session, call.names)
    return OrderView.model_validate(facts.of_order(order, settled, batch.tx_hash if batch else None, None))


def _show(call: Call, order_id: str) -> Shown[OrderView]:
    movements = MovementService(call.session)
    order = movements.order(call.viewer, order_id)
    is_open = not order.state.is_final
    if call.minimal:
        return Shown(order_summary(call, order, *movements.summary_of(order)), is_open)
    return Shown(order_view(call, order, movements.movements_of(order)), is_open)


def _show_all(asked: Sequence[Asked]) -> list[Shown[OrderView]]:
    """Their summaries are looked up together, and the movements of those who want them order by order."""
    movements = MovementService(asked[0][0].session)
    found = movements.all_orders([(call.viewer, order_id) for call, order_id in asked])
    shown = []
    for (call, _), (order, settled, batch) in zip(asked, found, strict=True):
        if call.minimal:
            view = order_summary(call, order, settled, batch)
        else:
            view = order_view(call, order, movements.movements_of(order))
        shown.append(Shown(view, is_open=not order.state.is_final))
    return shown


ORDERS = ChainResource("ord", "orders", _show, _show_all, open_status=202)
