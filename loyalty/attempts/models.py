"""Table of attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class Attempt(Base):
    """How often something was tried since a moment."""

    __tablename__ = "attempts"

    subject: Mapped[str] = mapped_column(String(120), primary_key=True)
    """What is counted, and whose or from where: `login:lin.lan`, `address:192.0.2.7`."""
    count: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime] = mapped_column(default=time_of_insert)
