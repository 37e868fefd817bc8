"""Table of what people, devices and jobs have done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class AuditEntry(Base):
    """One action. Rows are only ever added."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("audit_entries_subject_index", "subject", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=time_of_insert)
    actor: Mapped[str] = mapped_column(String(80))
    """Who: the id of a person or a key, or `command line`."""
    action: Mapped[str] = mapped_column(String(40))
    """What: the concept in the singular and what happened to it, such as `wish.retried`."""
    subject: Mapped[str] = mapped_column(String(40))
    """To what: its id."""
    reason: Mapped[str | None] = mapped_column(String(500))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
