"""Rules of liquidity alerts: one event for each crossing, however long a merchant stays near the line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.events.recorder import EventRecorder
from clearing.ledger.settlement.models import Position
from clearing.oversight.liquidity.models import Level, LiquidityLevel
from clearing.oversight.liquidity.repository import LiquidityRepository
from clearing.parties.merchants.models import Merchant

_ORDER = (Level.CRITICAL, Level.LOW, Level.FINE)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the levels begin, in percent of the credit limit, but at `floor` micros or more (for prefunded merchants)."""

    low_percent: int
    critical_percent: int
    floor: int
    margin_percent: int = 25
    """How far liquidity must rise above a line, in percent of it, before the merchant counts as above it again."""

    @classmethod
    def of(cls, settings: Settings) -> Thresholds:
        """The thresholds that the operator has set."""
        return cls(settings.liquidity_low_percent, settings.liquidity_critical_percent, settings.liquidity_floor_micros)

    def line(self, level: Level, credit_limit: int) -> int:
        """The micros below which the level begins."""
        if level is Level.CRITICAL:
            return max(credit_limit * self.critical_percent // 100, self.floor // 4)
        return max(credit_limit * self.low_percent // 100, self.floor)

    def level(self, liquidity: int, credit_limit: int, before: Level) -> Level:
        """The level now. Rising above a line again takes a margin; falling below it does not."""
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
        self._liquidity = LiquidityRepository(session)

    def alert(self) -> int:
        """Notifies the merchants whose level has changed; how many."""
        rows = self._liquidity.positions_with_merchants()
        levels = {level.merchant_number: level for level in self._liquidity.lock_levels()}
        notified = sum(self._alert_one(position, merchant, levels.get(merchant.number)) for position, merchant in rows)
        self._session.flush()
        return notified

    def level_of(self, position: Position) -> tuple[Level, datetime | None]:
        """The level of a merchant's liquidity now, and since when the merchant was notified of it."""
        row = self._liquidity.level(position.merchant_number)
        before = row.level if row is not None else Level.FINE
        level = self._level_now(position, before)
        return level, row.since if row is not None and row.level is level else None

    def crossings(self) -> int:
        """How many merchants `alert` would notify now. Changes nothing."""
        known = {level.merchant_number: level.level for level in self._liquidity.levels()}
        crossed = 0
        for position in self._liquidity.positions():
            before = known.get(position.merchant_number, Level.FINE)
            crossed += self._level_now(position, before) is not before
        return crossed

    def _level_now(self, position: Position, before: Level) -> Level:
        return self._thresholds.level(position.liquidity, position.credit_limit, before)

    def _alert_one(self, position: Position, merchant: Merchant, row: LiquidityLevel | None) -> bool:
        before = row.level if row else Level.FINE
        level = self._level_now(position, before)
        if level is before:
            return False
        if row is None:
            row = LiquidityLevel(merchant_number=merchant.number)
            self._liquidity.add(row)
        row.level, row.liquidity, row.since = level, position.liquidity, clock_of(self._session).now()
        EventRecorder(self._session).record(
            "liquidity.restored" if level is Level.FINE else f"liquidity.{level}",
            merchant.id,
            actor="worker",
            merchants=[merchant.number],
            data={
                "level": level,
                "before": before,
                "liquidity_micros": position.liquidity,
                "position_micros": position.position,
                "credit_limit_micros": position.credit_limit,
            },
        )
        return True
