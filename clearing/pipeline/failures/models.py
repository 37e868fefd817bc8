"""Table of the daemons whose steps fail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base

LONGEST_ERROR = 300


class Failure(Base):
    """A daemon no step of which has succeeded for a while. It has no row while it gets on."""

    __tablename__ = "failures"

    daemon: Mapped[str] = mapped_column(String(40), primary_key=True)
    """By the name of its leadership."""
    error: Mapped[str] = mapped_column(String(LONGEST_ERROR))
    """The newest one."""
    since: Mapped[datetime] = mapped_column(default=time_of_insert)
    """When the first of these steps failed."""
