"""Table of the versions of reference data."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base


class ReferenceVersion(Base):
    """The version of one table of reference data: a random number that every change of the table replaces.

    Triggers write it (`migrations/versions/0002_reference_triggers.py`), so no writer can forget it. It is random because a number
    that counts would come back after a rollback, and with it a copy of what was never committed.
    """

    __tablename__ = "reference_versions"

    table_name: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[str] = mapped_column(String(36))
