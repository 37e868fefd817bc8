"""Movements as the API shows them."""

from __future__ import annotations

from datetime import date
from typing import Any

from clearing.ordering.orders.kinds import KINDS, kind_of
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import Movement
from clearing.ordering.orders.movements import MovementService
from gateway.api.movements.schemas import MovementEntryView, MovementView
from gateway.http.context import Call, ChainResource, Shown
from gateway.http.pagination import pair_cursor


def movement_view(call: Call, movement: Movement) -> MovementView:
    """A movement with what the chain posted for it."""
    instruction, order = movement.instruction, movement.order
    return MovementView(
        id=instruction.id,
        object=kind_of(instruction.kind).noun,
        order=order.id,
        state=movement.state,
        reason=movement.reason,
        merchant=call.names.merchant(order.merchant_number),
        member=instruction.member_id,
        program=call.names.program(instruction.program),
        agreement=call.names.agreement(instruction.agreement),
        points=instruction.points,
        reference=instruction.reference,
        expires_on=_expiry(call, movement),
        recipient=instruction.recipient_id,
        reverses=instruction.original_id,
        reversed_points=movement.reversed,
        reversible_points=movement.reversible,
        created_at=order.created_at,
        entry=_entry_view(movement),
    )


def movement_cursor(movement: Movement) -> str:
    """The cursor of a page that ends with this movement."""
    return pair_cursor(movement.instruction.order_seq, movement.instruction.item)


def _expiry(call: Call, movement: Movement) -> date | None:
    day = movement.entry.expiry_day if movement.entry else movement.instruction.expiry_day
    return call.gateway.network.date_of(day) if day else None


def _entry_view(movement: Movement) -> MovementEntryView | None:
    entry, batch = movement.entry, movement.batch
    if entry is None or batch is None:
        return None
    return MovementEntryView(
        leaf=entry.leaf,
        batch=entry.batch,
        index=entry.index,
        points=entry.points,
        out=entry.out,
        settled_micros=entry.settled,
        fee_micros=entry.fee,
        tx_hash=batch.tx_hash,
        block_number=entry.block_number,
        settled_at=movement.order.settled_at,
    )


def _resource(kind: InstructionKind[Any]) -> ChainResource[MovementView]:
    def show(call: Call, movement_id: str) -> Shown[MovementView]:
        movement = MovementService(call.session).visible(call.viewer, kind.kind, movement_id)
        call.notes["order"] = movement.order.id
        return Shown(movement_view(call, movement), is_open=not movement.order.state.is_final)

    return ChainResource(kind.id_prefix, kind.collection, show, open_status=202)


MOVEMENTS = {kind.kind: _resource(kind) for kind in KINDS}
