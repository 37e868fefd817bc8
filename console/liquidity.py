"""How much a merchant can still pay, and whether that is all right: the same on every page."""

from __future__ import annotations

from dataclasses import dataclass

from tongdui import Position

_LOW_PERCENT, _CRITICAL_PERCENT = 20, 5


@dataclass(frozen=True, slots=True)
class Liquidity:
    """The liquidity of a position, as its meter shows it: `left` of `whole`, with a tone (good, warn, bad)."""

    left: int
    whole: int
    tone: str


def liquidity_of(position: Position) -> Liquidity:
    """Measured against the credit limit, and the position where that is above zero."""
    whole = max(position.credit_limit_micros + max(position.position_micros, 0), 1)
    return Liquidity(max(position.liquidity_micros, 0), whole, _tone(position))


def _tone(position: Position) -> str:
    left, limit = position.liquidity_micros * 100, position.credit_limit_micros
    if left <= limit * _CRITICAL_PERCENT:
        return "bad"
    return "warn" if left <= limit * _LOW_PERCENT else "good"
