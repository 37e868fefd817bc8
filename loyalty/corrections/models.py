"""Table of corrections."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class Correction(Base):
    """A sale that was wrong, what took it back, and the right one. The right sale's document number is the correction's."""

    __tablename__ = "corrections"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    wrong_id: Mapped[str] = mapped_column(ForeignKey("sales.id"), unique=True)
    right_id: Mapped[str] = mapped_column(ForeignKey("sales.id"), unique=True)
    return_id: Mapped[str | None] = mapped_column(ForeignKey("returns.id"))
    """What took back all that was left of the wrong sale; None if nothing was left."""
    actor: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(500))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of what was sent: the same document with other content is refused."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
