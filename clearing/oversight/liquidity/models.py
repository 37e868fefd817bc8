"""Table of liquidity levels: what each merchant was last notified of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, choice


class Level(StrEnum):
    """How much a merchant can still pay."""

    FINE = "fine"
    LOW = "low"
    CRITICAL = "critical"


class LiquidityLevel(Base):
    """The level that a merchant was last notified of. No row means fine."""

    __tablename__ = "liquidity_levels"

    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), primary_key=True, autoincrement=False)
    level: Mapped[Level] = mapped_column(choice(Level))
    liquidity: Mapped[int] = mapped_column(Big)
    """Micros at that moment."""
    since: Mapped[datetime] = mapped_column(default=time_of_insert)
