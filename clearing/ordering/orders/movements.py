"""Orders and movements as a viewer may see them: a merchant sees the orders that it has signed, and the movements of both sides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.errors import InvalidRequest, NotFound
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.models import Batch
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import Direction, Movement, Order, OrderState
from clearing.ordering.orders.movement_repository import MovementKey, MovementRepository
from clearing.ordering.orders.movement_sources import MovementFilter, MovementSources, Sides, sources_of
from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.members.service import MemberService, is_address
from clearing.parties.merchants.service import require_merchant
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import require_program
from tongdui._canonical import EXTERNAL
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementSearch:
    """Which movements somebody looks for, in the words of the API; None means any."""

    kind: Kind | None = None
    direction: Direction | None = None
    counterparty: str | None = None
    member: str | None = None
    program: str | None = None
    """On either side."""
    state: OrderState | None = None
    reference: str | None = None
    original: str | None = None
    """The id of the movement that they undo."""
    created_from: datetime | None = None
    created_before: datetime | None = None


class MovementService:
    """Orders and movements in one session. Reads only."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders = OrderRepository(session)
        self._movements = MovementRepository(session)

    def list(
        self, viewer: Viewer, search: MovementSearch, *, after: MovementKey | None, limit: int
    ) -> Sequence[Movement]:
        """The movements that the viewer may see, newest first; `after` is (order's seq, item) of the last one seen."""
        if search.direction is not None and viewer.merchant_number is None:
            raise InvalidRequest("direction: only a merchant's points go out or come in; use counterparty instead")
        program = require_program(self._session, search.program) if search.program else None
        counterparty = require_merchant(self._session, search.counterparty) if search.counterparty else None
        wanted = MovementFilter(
            merchant=viewer.merchant_number,
            kind=search.kind,
            direction=search.direction,
            counterparty=counterparty.number if counterparty else None,
            member_id=self._member_id(viewer, search.member) if search.member else None,
            program=program.number if program else None,
            state=search.state,
            reference=search.reference,
            original_id=search.original,
            created_from=search.created_from,
            created_before=search.created_before,
        )
        return self._movements.list(wanted, self._sources(wanted), after, limit)

    def visible(self, viewer: Viewer, movement_id: str, kind: Kind | None = None) -> Movement:
        """The movement with this id, or NotFound where it is of another kind, or the viewer is on neither side of it."""
        return _visible(viewer, movement_id, self._movements.by_id(movement_id), kind)

    def all_visible(self, wanted: Sequence[tuple[Viewer, str]], kind: Kind) -> Sequence[Movement]:
        """The same for many viewers at once, each of whom asks for a movement of one kind."""
        ids = {movement_id for _, movement_id in wanted}
        found = {movement.instruction.id: movement for movement in self._movements.by_ids(ids)}
        return [_visible(viewer, movement_id, found.get(movement_id), kind) for viewer, movement_id in wanted]

    def standing(self, merchant_number: int, kind: Kind, references: Sequence[str]) -> Sequence[Movement]:
        """A merchant's own movements of a kind with these references, in their order. What it has not made, or what was refused,
        is missing."""
        found = {
            movement.instruction.reference: movement
            for movement in self._movements.standing(merchant_number, kind, references)
        }
        return [found[reference] for reference in dict.fromkeys(references) if reference in found]

    def visible_of(self, viewer: Viewer, ids: Collection[str]) -> Sequence[Movement]:
        """Those of these movements that the viewer may see."""
        return [movement for movement in self._movements.by_ids(ids) if _sees(viewer, movement)]

    def order(self, viewer: Viewer, order_id: str) -> Order:
        """The order with this id, or NotFound where it is another merchant's."""
        return _visible_order(viewer, order_id, self._orders.by_id(order_id))

    def all_orders(self, wanted: Sequence[tuple[Viewer, str]]) -> Sequence[tuple[Order, int, Batch | None]]:
        """The same for many viewers at once, each with the order's summary."""
        found = {order.id: order for order in self._orders.by_ids({order_id for _, order_id in wanted})}
        for viewer, order_id in wanted:
            _visible_order(viewer, order_id, found.get(order_id))
        summarised = {one[0].id: one for one in self._orders.summarised(list(found.values()))}
        return [summarised[order_id] for _, order_id in wanted]

    def orders(self, viewer: Viewer, ids: Collection[str]) -> Sequence[tuple[Order, int, Batch | None]]:
        """Those of these orders that the viewer may see, each with its summary."""
        return self._orders.summarised(
            [order for order in self._orders.by_ids(ids) if viewer.sees(order.merchant_number)]
        )

    def movements_of(self, order: Order) -> Sequence[Movement]:
        """The order's movements, in their order."""
        return self._orders.movements_of(order)

    def summary_of(self, order: Order) -> tuple[int, Batch | None]:
        """How many of the order's instructions were settled, and in which batch."""
        return self._orders.summary_of(order)

    def _sources(self, wanted: MovementFilter) -> MovementSources:
        if wanted.is_narrow or wanted.is_everything:
            return MovementSources()
        owners = ProgramRepository(self._session).owners()
        agreements = AgreementRepository(self._session).numbered(wanted.sides[:1])
        return sources_of(wanted, owners, [Sides(*sides) for sides in agreements])

    def _member_id(self, viewer: Viewer, member: str) -> str:
        """The member's id. A merchant may also know it from a movement that it has received: that finds what it may see anyway."""
        if member.startswith(EXTERNAL) or (viewer.merchant_number is None and is_address(member)):
            return MemberService(self._session).visible(viewer, member).id
        return member


def _visible(viewer: Viewer, movement_id: str, movement: Movement | None, kind: Kind | None) -> Movement:
    if movement is None or kind not in (None, movement.instruction.kind) or not _sees(viewer, movement):
        raise NotFound(f"there is no {kind_of(kind).noun if kind else 'movement'} {movement_id}")
    return movement


def _visible_order(viewer: Viewer, order_id: str, order: Order | None) -> Order:
    if order is None or not viewer.sees(order.merchant_number):
        raise NotFound(f"there is no order {order_id}")
    return order


def _sees(viewer: Viewer, movement: Movement) -> bool:
    instruction = movement.instruction
    return viewer.sees(instruction.merchant_number, instruction.giver, instruction.receiver)
