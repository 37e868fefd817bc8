"""Operations: the network at work, pausing it, orders that wait too long, and chain events in quarantine."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from clearing.chain.client import NewestBlock
from clearing.ordering.orders.movements import MovementService
from clearing.oversight.operations.overview import OverviewService
from clearing.oversight.operations.service import OperationsService
from gateway.api.operations.schemas import (
    OperationsView,
    PauseCreate,
    QuarantinedEventView,
    RetryView,
    SequencingView,
)
from gateway.api.operations.view import operations_view, pause_view, quarantined_event_view
from gateway.api.orders.schemas import OrderView
from gateway.api.orders.view import order_view
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair, pair_cursor
from gateway.http.schemas import Page

router = APIRouter(route_class=Endpoint, tags=["operations"])


def _service(call: Call) -> OperationsService:
    return OperationsService(call.session, actor=call.actor)


def _sequencing(call: Call) -> SequencingView:
    return SequencingView(pause=pause_view(call, OverviewService(call.session).pause()))


async def _newest_block(call: Reading) -> NewestBlock | None:
    """The node is asked before the route's snapshot begins, and never by a thread that serves requests."""
    return await call.gateway.newest_block.get()


@router.get("/v1/operations")
def get_operations(call: Reading, node: Annotated[NewestBlock | None, Depends(_newest_block)]) -> OperationsView:
    """The queue, what is on its way to the chain, the daemons, the node, and the newest reconciliation, as they are now."""
    return operations_view(call, OverviewService(call.session).now(node))


@router.post("/v1/operations/pause", status_code=200)
def pause_sequencing(body: PauseCreate, call: Mutating) -> SequencingView:
    """Puts no more orders into batches; what is signed is still sent. Who paused first stays named."""
    _service(call).pause(body.reason)
    return _sequencing(call)


@router.post("/v1/operations/resume", status_code=200)
def resume_sequencing(call: Mutating) -> SequencingView:
    """Puts orders into batches again."""
    _service(call).resume()
    return _sequencing(call)


@router.post("/v1/orders/{order}/cancel", status_code=200)
def cancel_order(order: str, call: Mutating) -> OrderView:
    """Cancels an order that waits for a batch, and releases what it reserved."""
    _service(call).cancel(order)
    movements = MovementService(call.session)
    cancelled = movements.order(call.viewer, order)
    return order_view(call, cancelled, movements.movements_of(cancelled))


@router.get("/v1/quarantined_events")
def list_quarantined_events(
    call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[QuarantinedEventView]:
    """Chain events that could not be applied, oldest first."""
    rows = _service(call).quarantined(after=pair(cursor), limit=limit + 1)
    return page_of(rows, limit, quarantined_event_view, lambda event: pair_cursor(event.block_number, event.log_index))


@router.post("/v1/quarantined_events/retry", status_code=200)
def retry_quarantined_events(call: Mutating) -> RetryView:
    """Applies every event in quarantine that can be applied now; the others stay there."""
    applied, failed = _service(call).retry_quarantined()
    return RetryView(applied=applied, failed=failed)
