"""Movements as the API shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from clearing.kit.viewer import Viewer
from clearing.ordering.orders.facts import MovementFacts
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import Movement
from clearing.ordering.orders.movements import MovementService
from gateway.api.movements.schemas import MovementView
from gateway.http.context import Asked, Call, ChainResource, Shown
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

    def show_all(asked: Sequence[Asked]) -> list[Shown[MovementView]]:
        movements = MovementService(asked[0][0].session)
        found = movements.all_visible([(call.viewer, movement_id) for call, movement_id in asked], kind.kind)
        shown = _views_of([call for call, _ in asked], found)
        for (call, _), movement in zip(asked, found, strict=True):
            call.notes["order"] = movement.order.id
        every = zip(shown, found, strict=True)
        return [Shown(view, is_open=not movement.order.state.is_final) for view, movement in every]

    return ChainResource(kind.id_prefix, kind.collection, show, show_all, open_status=202)


def _views_of(calls: Sequence[Call], movements: Sequence[Movement]) -> list[MovementView]:
    """A movement for each of the calls, as its caller may see it; those of one viewer are looked up together."""
    facts = MovementFacts(calls[0].session, calls[0].names)
    places: dict[Viewer, list[int]] = defaultdict(list)
    for place, call in enumerate(calls):
        places[call.viewer].append(place)
    views: dict[int, MovementView] = {}
    for viewer, some in places.items():
        shown = facts.of(viewer, [movements[place] for place in some])
        views |= zip(some, map(MovementView.model_validate, shown), strict=True)
    return [views[place] for place in range(len(calls))]


MOVEMENTS = {kind.kind: _resource(kind) for kind in KINDS}
