"""Orders that end without ever having been in a batch."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.ordering.orders.finalisation import OrderFinalisation
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from tongdui.orders import Reason

log = structlog.get_logger(__name__)

TOO_LARGE = "too_large"
"""Why the sequencer rejects an order that does not fit into a transaction even alone."""


def expire_late_orders(session: Session) -> bool:
    """Ends the accepted orders whose deadline has passed. (Once an order is in a batch, the chain decides.)"""
    late = OrderProgressRepository(session).late(clock_of(session).unix())
    if not late:
        return False
    OrderFinalisation(session).withdraw(late, OrderState.EXPIRED, Reason.DEADLINE_PASSED.code, "sequencer")
    return True


def reject_too_large(session: Session, seq: int) -> None:
    """Rejects an order that does not fit into a transaction even alone: it would hold up all others."""
    order = OrderProgressRepository(session).lock_by_seq(seq)
    log.error("order too large for a transaction", order=order.id, instructions=order.size)
    OrderFinalisation(session).withdraw([order], OrderState.REJECTED, TOO_LARGE, "sequencer")
