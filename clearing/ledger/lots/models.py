"""Table of how far daily rounds have come. (Lots themselves have no table: `replay` makes them from the entries.)"""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base


class ExpiryMark(Base):
    """How far a daily round has come: it is done with `day` and all days before, and stands at `address` in a part of the next."""

    __tablename__ = "expiry_marks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[int]
    part: Mapped[str | None] = mapped_column(String(40), default=None)
    address: Mapped[str | None] = mapped_column(String(42), default=None)
