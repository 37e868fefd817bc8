"""Rules of liquidity alerts: one event a crossing, however long the merchant stays near the line."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.clock import now
from clearing.kit.events.repository import EventRepository
from clearing.ledger.settlement.models import Position
from clearing.oversight.liquidity.models import Level, LiquidityLevel
from clearing.parties.merchants.models import Merchant

_ORDER = (Level.CRITICAL, Level.LOW, Level.FINE)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the levels begin, in percent of the credit limit; `floor` micros where that is less (a prefunded merchant)."""

    low_percent: int
    critical_percent: int
    floor: int
    margin_percent: int = 25
    """How far above a line liquidity must rise before the merchant is above it again."""

    def line(self, level: Level, credit_limit: int) -> int:
        """Below how many micros the level begins."""
        if level is Level.CRITICAL:
            return max(credit_limit * self.critical_percent // 100, self.floor // 4)
        return max(credit_limit * self.low_percent // 100, self.floor)

    def level(self, liquidity: int, credit_limit: int, before: Level) -> Level:
        """The level now. To rise above a line that one is below takes a margin."""
        for level in _ORDER[:2]:
            line = self.line(level, credit_limit)
            if _ORDER.index(before) <= _ORDER.index(level):
                line += line * self.margin_percent // 100
            if liquidity < line:
                return level
        return Level.FINE


class LiquidityService:
    """Liquidity alerts in one transaction."""

    def __init__(self, session: Session, thresholds: Thresholds) -> None:
        self._session = session
        self._thresholds = thresholds

    def alert(self) -> int:
        """Tells the merchants whose level has changed; how many."""
        query = select(Position, Merchant).join(Merchant, Merchant.number == Position.merchant_number)
        rows = self._session.execute(query.where(Merchant.number != 0).order_by(Merchant.number)).all()
        known = {row.merchant_number: row for row in self._lock()}
        told = 0
        for position, merchant in rows:
            told += self._alert_one(position, merchant, known.get(merchant.number))
        self._session.flush()
        return told

    def crossings(self) -> int:
        """How many merchants would be told now. Only looks."""
        known = {row.merchant_number: row.level for row in self._session.scalars(select(LiquidityLevel))}
        positions = self._session.scalars(select(Position).where(Position.merchant_number != 0))
        return sum(
            self._thresholds.level(p.liquidity, p.credit_limit, before) is not before
            for p in positions
            for before in (known.get(p.merchant_number, Level.FINE),)
        )

    def _lock(self) -> list[LiquidityLevel]:
        """The rows, locked: of two workers at once, the second one sees what the first one told."""
        query = select(LiquidityLevel).order_by(LiquidityLevel.merchant_number).with_for_update()
        return list(self._session.scalars(query))

    def _alert_one(self, position: Position, merchant: Merchant, row: LiquidityLevel | None) -> bool:
        before = row.level if row else Level.FINE
        level = self._thresholds.level(position.liquidity, position.credit_limit, before)
        if level is before:
            return False
        if row is None:
            row = LiquidityLevel(merchant_number=merchant.number)
            self._session.add(row)
        row.level, row.liquidity, row.since = level, position.liquidity, now()
        data = {
            "level": level,
            "before": before,
            "liquidity_micros": position.liquidity,
            "position_micros": position.position,
            "credit_limit_micros": position.credit_limit,
        }
        EventRepository(self._session).add(
            "liquidity.restored" if level is Level.FINE else f"liquidity.{level}",
            merchant.id,
            "worker",
            merchant.number,
            data,
        )
        return True
