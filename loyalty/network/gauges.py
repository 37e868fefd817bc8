"""What of the network's edge Prometheus is told, read from the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from loyalty.kit.database import clock_of
from loyalty.kit.metrics import Metrics
from loyalty.network.debt_repository import DebtRepository
from loyalty.network.difference_repository import DifferenceRepository
from loyalty.network.order_repository import OrderRepository
from loyalty.network.wish_repository import WishRepository


def read_gauges(session: Session, metrics: Metrics) -> None:
    """Reads all gauges anew."""
    now = clock_of(session).now()
    wishes = WishRepository(session)
    for state, count in wishes.counts().items():
        metrics.wishes.labels(state.value).set(count)
    metrics.oldest.set(_age(wishes.oldest(), now))
    total, failing = OrderRepository(session).open_and_failing()
    metrics.orders.set(total)
    metrics.failing.set(failing)
    metrics.owed.clear()
    for program, owed in DebtRepository(session).owed().items():
        metrics.owed.labels(program).set(owed)
    differences = DifferenceRepository(session)
    metrics.differences.set(differences.open_count())
    check = differences.last_check()
    metrics.checked.set(_age(check.ended_at if check else wishes.first(), now))


def _age(at: datetime | None, now: datetime) -> float:
    return 0 if at is None else max(0.0, (now - at).total_seconds())
