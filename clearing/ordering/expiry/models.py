"""Table of reminders of points that will expire."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base


class ExpiryReminder(Base):
    """A reminder that was sent: one for each account, day of expiry and number of days ahead."""

    __tablename__ = "expiry_reminders"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    program: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    expiry_day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    days_ahead: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert, index=True)
