"""Movements as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearing.ordering.orders.facts import MovementFacts
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import Movement
from clearing.ordering.orders.movements import MovementService
from gateway.api.movements.schemas import MovementView
from gateway.http.context import Call, ChainResource, Shown
from gateway.http.pagination import page_of, pair_cursor
from gateway.http.schemas import Page


def movement_view(call: Call, movement: Movement) -> MovementView:
    """A movement with what the chain posted for it, as the caller may see it."""
    return movement_views(call, [movement])[0]


def movement_views(call: Call, movements: Sequence[Movement]) -> list[MovementView]:
    """Many of them; their members are looked up together."""
    facts = MovementFacts(call.session, call.names).of(call.viewer, movements)
    return [MovementView.model_validate(fact) for fact in facts]


def movement_page(call: Call, movements: Sequence[Movement], limit: int) -> Page[MovementView]:
    """A page of movements."""
    rows = list(zip(movements, movement_views(call, movements), strict=True))
    return page_of(rows, limit, lambda row: row[1], lambda row: _cursor(row[0]))


def _cursor(movement: Movement) -> str:
    return pair_cursor(movement.instruction.order_seq, movement.instruction.item)


def _resource(kind: InstructionKind[Any]) -> ChainResource[MovementView]:
    def show(call: Call, movement_id: str) -> Shown[MovementView]:
        movement = MovementService(call.session).visible(call.viewer, movement_id, kind.kind)
        call.notes["order"] = movement.order.id
        return Shown(movement_view(call, movement), is_open=not movement.order.state.is_final)

    return ChainResource(kind.id_prefix, kind.collection, show, open_status=202)


MOVEMENTS = {kind.kind: _resource(kind) for kind in KINDS}
