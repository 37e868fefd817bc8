"""Table of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class IdempotencyRecord(Base):
    """The first answer to a request, in the same transaction as its effect: both are there, or neither."""

    __tablename__ = "idempotency_records"

    caller: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The key that sent the request."""
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int] = mapped_column(default=0)
    body: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert, index=True)
