"""Table of stations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class Station(Base):
    """A place with tills and pumps. Its sales name it by its code."""

    __tablename__ = "stations"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    region: Mapped[str] = mapped_column(String(40))
    time_zone: Mapped[str] = mapped_column(String(64))
    """Hours, days and months of rules are told in it."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
