"""Tables of what was done about expiring points. (Lots themselves have no table, see `replay`.)"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt


class ExpiryMark(Base):
    """How far a daily round has come: everything up to `day` and `batch` was looked at. The expiry's `day` is at most that of
    the newest block: until there is one of today, the projector may still bring points that expire today."""

    __tablename__ = "expiry_marks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[int]
    batch: Mapped[int] = mapped_column(BigInt, default=0)


class ExpiryReminder(Base):
    """A reminder that was sent: one for an account, a day of expiry and a number of days ahead."""

    __tablename__ = "expiry_reminders"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    program: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    expiry_day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    days_ahead: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
