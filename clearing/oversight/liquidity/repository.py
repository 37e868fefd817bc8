"""SQL of liquidity alerts: positions, and the level that each merchant was last notified of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.ledger.settlement.models import Position
from clearing.oversight.liquidity.models import LiquidityLevel
from clearing.parties.merchants.models import Merchant


class LiquidityRepository:
    """Positions and levels in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, level: LiquidityLevel) -> None:
        """Stores a merchant's first level."""
        self._session.add(level)

    def levels(self) -> Sequence[LiquidityLevel]:
        """The level of every merchant that has one."""
        return self._session.scalars(select(LiquidityLevel)).all()

    def level(self, merchant_number: int) -> LiquidityLevel | None:
        """The level of one merchant, if it has any."""
        return self._session.get(LiquidityLevel, merchant_number)

    def lock_levels(self) -> Sequence[LiquidityLevel]:
        """The same, locked until the transaction ends: of two workers, the second sees the levels that the first one wrote."""
        query = select(LiquidityLevel).order_by(LiquidityLevel.merchant_number).with_for_update()
        return self._session.scalars(query).all()

    def positions(self) -> Sequence[Position]:
        """The positions of all merchants but the operator."""
        return self._session.scalars(select(Position).where(Position.merchant_number != 0)).all()

    def positions_with_merchants(self) -> Sequence[tuple[Position, Merchant]]:
        """The positions of all merchants but the operator, each with its merchant, by number."""
        query = select(Position, Merchant).join(Merchant, Merchant.number == Position.merchant_number)
        rows = self._session.execute(query.where(Merchant.number != 0).order_by(Merchant.number))
        return [(position, merchant) for position, merchant in rows]
