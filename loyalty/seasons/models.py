"""Tables of stations' days, and how far they are counted."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big


class StationDay(Base):
    """What a station sold on a business day, less what came back of it, as it was last counted."""

    __tablename__ = "station_days"

    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), primary_key=True)
    business_day: Mapped[date] = mapped_column(primary_key=True)
    sales: Mapped[int]
    """Of which something is left."""
    spend_micros: Mapped[int] = mapped_column(Big)
    points: Mapped[int] = mapped_column(Big)
    """What they have earned, less what returns took back."""


class StationDayCount(Base):
    """How far stations' days are counted: the last sale and the last return that were there when a count began."""

    __tablename__ = "station_day_counts"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`sales` or `returns`."""
    last: Mapped[str] = mapped_column(String(40))
    """The id."""
