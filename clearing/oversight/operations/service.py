"""What the operator does: pauses and resumes sequencing, cancels an order that was not sent, applies set-aside events."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from clearing.kit.errors import Conflict, NotFound
from clearing.kit.events.repository import EventRepository
from clearing.ordering.orders.finalisation import OrderFinalisation
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderRepository
from clearing.pipeline import quarantine as poison
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository

log = structlog.get_logger(__name__)


class OperationsService:
    """The operator's actions in one transaction. Each one leaves an event with its actor."""

    def __init__(self, session: Session, *, actor: str) -> None:
        self._session = session
        self._actor = actor
        self._switches = SwitchRepository(session)

    def pause(self, reason: str) -> bool:
        """Stops putting orders into batches; what was signed is still sent. False if that was so already."""
        changed = self._switches.turn_off(SEQUENCING, self._actor, reason)
        if changed:
            self._tell("sequencing.paused", SEQUENCING, {"reason": reason})
        return changed

    def resume(self) -> bool:
        """Goes on. False if nothing was paused."""
        changed = self._switches.turn_on(SEQUENCING)
        if changed:
            self._tell("sequencing.resumed", SEQUENCING, {})
        return changed

    def cancel(self, order_id: str) -> Order:
        """Makes an accepted order that no batch contains final, and frees what it had set aside."""
        order = OrderRepository(self._session).lock(order_id)
        if order is None:
            raise NotFound(f"there is no order {order_id}", code="unknown_order")
        if order.state is not OrderState.ACCEPTED:
            raise Conflict(
                f"the order is {order.state}: only one that waits for a batch can be cancelled",
                code="order_not_waiting",
            )
        OrderFinalisation(self._session).withdraw([order], OrderState.CANCELLED, "cancelled_by_operator", self._actor)
        log.info("order cancelled", order=order.id, actor=self._actor)
        return order

    def retry_poison(self) -> tuple[int, int]:
        """Applies the events that were set aside: how many went through, and how many did not."""
        applied, failed = poison.retry(self._session)
        self._tell("chain.set_aside_retried", "chain", {"applied": applied, "failed": failed})
        return applied, failed

    def _tell(self, type: str, subject: str, data: dict[str, object]) -> None:  # noqa: A002
        EventRepository(self._session).add(type, subject, self._actor, None, data)
        log.info(type, actor=self._actor, **data)
