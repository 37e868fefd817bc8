"""Table of how far daily rounds have come. (Lots themselves have no table: `replay` makes them from the entries.)"""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base


class ExpiryMark(Base):
    """How far a daily round has come: it has looked at all points that expire on `day` or earlier.

    The expiry round's `day` is at most the day of the newest block: until there is a block of today, the projector may still bring
    points that expire today.
    """

    __tablename__ = "expiry_marks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[int]
