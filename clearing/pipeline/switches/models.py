"""Table of the operator's switches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base


class Switch(Base):
    """Something that the operator turned off, with who did it and why. Without a row it is on."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    actor: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
