"""What the operator does: pauses and resumes sequencing, cancels orders that no batch contains, retries quarantined events."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from clearing.kit.errors import Conflict, NotFound
from clearing.kit.events.changes import changed_from
from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.journal.models import QuarantinedEvent
from clearing.ledger.journal.repository import QuarantineRepository
from clearing.ordering.orders.finalisation import OrderFinalisation
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderRepository
from clearing.pipeline.quarantine import retry_quarantined
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository

log = structlog.get_logger(__name__)


class OperationsService:
    """The operator's actions in one transaction. Each one records an event with its actor."""

    def __init__(self, session: Session, *, actor: str) -> None:
        self._session = session
        self._actor = actor
        self._switches = SwitchRepository(session)

    def pause(self, reason: str) -> bool:
        """Stops putting orders into batches; signed batches are still sent. False if sequencing was paused already."""
        changed = self._switches.turn_off(SEQUENCING, self._actor, reason)
        if changed:
            self._record(
                "sequencing.paused", SEQUENCING, {"reason": reason, **changed_from({"paused": False}, {"paused": True})}
            )
        return changed

    def resume(self) -> bool:
        """Lets sequencing go on. False if it was not paused."""
        changed = self._switches.turn_on(SEQUENCING)
        if changed:
            self._record("sequencing.resumed", SEQUENCING, changed_from({"paused": True}, {"paused": False}))
        return changed

    def cancel(self, order_id: str) -> Order:
        """Ends an accepted order that no batch contains, and releases what it reserved."""
        order = OrderRepository(self._session).lock(order_id)
        if order is None:
            raise NotFound(f"there is no order {order_id}", code="unknown_order")
        if order.state is not OrderState.ACCEPTED:
            raise Conflict(
                f"the order is {order.state}: only one that waits for a batch can be cancelled",
                code="order_not_waiting",
            )
        OrderFinalisation(self._session).withdraw([order], OrderState.CANCELLED, "cancelled_by_operator", self._actor)
        EventRecorder(self._session).record(
            "sequencing.order_cancelled", order.id, actor=self._actor, data={"instructions": order.size}
        )
        log.info("order cancelled", order=order.id, actor=self._actor)
        return order

    def quarantined(self, *, after: tuple[int, int] | None, limit: int) -> Sequence[QuarantinedEvent]:
        """Events in quarantine, oldest first; `after` is (block, log index) of the last one of the page before."""
        return QuarantineRepository(self._session).page(after, limit)

    def retry_quarantined(self) -> tuple[int, int]:
        """Retries the events in quarantine: how many were applied, and how many failed again."""
        applied, failed = retry_quarantined(self._session)
        self._record("chain.quarantine_retried", "chain", {"applied": applied, "failed": failed})
        return applied, failed

    def _record(self, type: str, subject: str, data: dict[str, object]) -> None:  # noqa: A002
        EventRecorder(self._session).record(type, subject, actor=self._actor, data=data)
        log.info(type, actor=self._actor, **data)
