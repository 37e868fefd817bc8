"""Table of quotes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big


class Quote(Base):
    """What an exchange or a spend of `points` gives under an agreement, locked until it expires. Money is micros."""

    __tablename__ = "quotes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    agreement_id: Mapped[str] = mapped_column(ForeignKey("agreements.id"))
    points: Mapped[int] = mapped_column(Big)
    points_burnt: Mapped[int] = mapped_column(Big)
    out: Mapped[int] = mapped_column(Big)
    settled: Mapped[int] = mapped_column(Big)
    fee: Mapped[int] = mapped_column(Big)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
