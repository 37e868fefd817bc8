"""Orders and movements as a viewer may see them: a merchant sees orders that it has signed, and both sides of movements."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from clearing.kit.errors import NotFound
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.models import Batch
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import Movement, Order, OrderState
from clearing.ordering.orders.repository import MovementFilter, OrderRepository
from clearing.parties.members.service import MemberService
from clearing.parties.programs.service import require_program
from tongdui.orders import Kind


class MovementService:
    """Orders and movements in one session. Reads only."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._orders = OrderRepository(session)

    def list(
        self,
        viewer: Viewer,
        kind: Kind,
        *,
        member: str | None,
        program: str | None,
        state: OrderState | None,
        reference: str | None,
        after: tuple[int, int] | None,
        limit: int,
    ) -> Sequence[Movement]:
        """The movements of a kind that the viewer may see, newest first; `after` is (order's seq, item) of the last one seen."""
        wanted = MovementFilter(
            kind=kind,
            merchant=viewer.merchant_number,
            member_id=MemberService(self._session).visible(viewer, member).id if member else None,
            program=require_program(self._session, program).number if program else None,
            state=state,
            reference=reference,
        )
        return self._orders.movements(wanted, after, limit)

    def visible(self, viewer: Viewer, kind: Kind, movement_id: str) -> Movement:
        """The movement with this id, or NotFound where it is of another kind or another merchant's."""
        movement = self._orders.movement(movement_id)
        if movement is None or movement.instruction.kind != kind or not _sees(viewer, movement):
            raise NotFound(f"there is no {kind_of(kind).noun} {movement_id}")
        return movement

    def order(self, viewer: Viewer, order_id: str) -> Order:
        """The order with this id, or NotFound where it is another merchant's."""
        order = self._orders.by_id(order_id)
        if order is None or not viewer.sees(order.merchant_number):
            raise NotFound(f"there is no order {order_id}")
        return order

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


def _sees(viewer: Viewer, movement: Movement) -> bool:
    """A merchant sees a movement that it has signed, and one whose points go from it or come to it."""
    instruction = movement.instruction
    sides = (instruction.merchant_number, instruction.giver, instruction.receiver)
    return any(side is not None and viewer.sees(side) for side in sides)
