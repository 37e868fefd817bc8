"""Operations as the API shows them."""

from __future__ import annotations

from datetime import datetime

from clearing.kit.identity import instant
from clearing.ledger.journal.models import QuarantinedEvent
from clearing.ordering.orders.models import Order
from clearing.oversight.operations.overview import Overview
from clearing.oversight.reconciliation.models import Reconciliation
from clearing.pipeline.models import Transaction
from clearing.pipeline.switches.models import Switch
from gateway.api.operations.schemas import (
    ActorView,
    InFlightView,
    NodeView,
    OperationsView,
    PauseView,
    ProjectorView,
    QuarantinedEventView,
    QueueView,
    ReconciliationView,
    WaitingOrderView,
)
from gateway.http.context import Call


def actor_view(call: Call, actor: str) -> ActorView:
    """Who did something, with the name that people know."""
    return ActorView(id=actor, name=call.names.actor_label(actor))


def pause_view(call: Call, switch: Switch | None) -> PauseView | None:
    """Who stopped sequencing; None while it goes on."""
    if switch is None:
        return None
    return PauseView(actor=actor_view(call, switch.actor), reason=switch.reason, since=switch.created_at)


def operations_view(call: Call, overview: Overview) -> OperationsView:
    """The network at work."""
    queue = overview.queue
    return OperationsView(
        pause=pause_view(call, overview.pause),
        has_sequencer=overview.has_sequencer,
        queue=QueueView(
            orders=queue.orders,
            instructions=queue.instructions,
            calls=queue.calls,
            oldest_at=queue.oldest_at,
            oldest_orders=[_waiting_view(call, order) for order in overview.oldest_orders],
        ),
        in_flight=[_in_flight_view(transaction) for transaction in overview.in_flight],
        projector=_projector_view(overview),
        node=_node_view(call, overview),
        reconciliation=_reconciliation_view(overview.reconciliation),
        quarantined_events=queue.quarantined,
    )


def quarantined_event_view(event: QuarantinedEvent) -> QuarantinedEventView:
    """An event in quarantine."""
    return QuarantinedEventView(
        block_number=event.block_number,
        log_index=event.log_index,
        event=event.name,
        tx_hash=event.tx_hash,
        topics=event.topics,
        data=event.data,
        error=event.error,
        created_at=event.created_at,
    )


def _waiting_view(call: Call, order: Order) -> WaitingOrderView:
    merchant = call.names.merchant(order.merchant_number)
    return WaitingOrderView(id=order.id, merchant=merchant, instructions=order.size, created_at=order.created_at)


def _in_flight_view(transaction: Transaction) -> InFlightView:
    return InFlightView(
        tx_hash=transaction.hash,
        sender=transaction.sender,
        nonce=transaction.nonce,
        orders=transaction.orders,
        signed_at=transaction.created_at,
        sent_at=transaction.sent_at,
    )


def _projector_view(overview: Overview) -> ProjectorView:
    block = overview.projected
    return ProjectorView(
        is_running=overview.has_projector,
        block_number=block.number if block else None,
        block_at=_moment(block.timestamp if block else None),
        lag_blocks=overview.lag,
    )


def _node_view(call: Call, overview: Overview) -> NodeView:
    head = overview.node
    return NodeView(
        is_reachable=head is not None,
        block_number=head.number if head else None,
        block_at=_moment(head.timestamp if head else None),
        block_age_seconds=max(0, call.clock.unix() - head.timestamp) if head else None,
    )


def _reconciliation_view(found: Reconciliation | None) -> ReconciliationView | None:
    if found is None:
        return None
    return ReconciliationView(scope=found.scope, block_number=found.block, drifts=found.drifts, ended_at=found.ended_at)


def _moment(timestamp: int | None) -> datetime | None:
    return None if timestamp is None else instant(timestamp)
