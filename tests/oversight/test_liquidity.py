"""Merchants are warned before they cannot pay any more, once a crossing."""

from __future__ import annotations

from sqlalchemy import func, select, update

from clearing.kit.events.models import Event
from clearing.ledger.settlement.models import Position
from clearing.oversight.liquidity.models import Level
from clearing.oversight.liquidity.service import LiquidityService, Thresholds
from tests.support.chainless import ChainlessNetwork


def test_a_merchant_is_notified_once_a_crossing_and_not_while_it_hovers_at_the_line(
    chainless: ChainlessNetwork,
) -> None:
    thresholds = Thresholds(low_percent=20, critical_percent=5, floor=0)

    def notified_at(position: int) -> list[str]:
        with chainless.database.session.begin() as session:
            session.execute(
                update(Position).where(Position.merchant_number == 1).values(position=position, credit_limit=1_000)
            )
            before = session.scalar(select(func.max(Event.seq))) or 0
        for _ in range(2):
            with chainless.database.session.begin() as session:
                service = LiquidityService(session, thresholds)
                assert (service.crossings() > 0) == (service.alert() > 0)
        with chainless.database.session.begin() as session:
            query = select(Event).where(Event.seq > before, Event.merchant_number == 1).order_by(Event.seq)
            return [event.type for event in session.scalars(query)]

    assert notified_at(-700) == []
    assert notified_at(-801) == ["liquidity.low"]  # 199 of 1,000 left
    assert notified_at(-790) == []  # above the line, but not by a quarter
    assert notified_at(-810) == []
    assert notified_at(-960) == ["liquidity.critical"]
    assert notified_at(-945) == []
    assert notified_at(-930) == ["liquidity.low"]
    assert notified_at(-740) == ["liquidity.restored"]
    assert notified_at(-960) == ["liquidity.critical"]
    assert notified_at(0) == ["liquidity.restored"]


def test_a_prefunded_merchant_has_a_floor() -> None:
    thresholds = Thresholds(20, 5, floor=400)
    fine = thresholds.level(400, 0, thresholds.level(10**9, 0, before=Level.FINE))
    assert [fine, thresholds.level(399, 0, fine), thresholds.level(99, 0, fine)] == ["fine", "low", "critical"]
