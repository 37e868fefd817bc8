"""Table of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Hash


class IdempotencyRecord(Base):
    """The first answer to a request, written in the same transaction as its effect: both are there, or neither."""

    __tablename__ = "idempotency_records"

    principal: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The merchant or role that sent the request. It is not the API key: after a key's rotation there must be no second effect."""
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(Hash)
    status: Mapped[int]
    body: Mapped[str]
    location: Mapped[str | None] = mapped_column(default=None)
    """Id of the order that the request created, if the answer depends on the order's progress."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert, index=True)
