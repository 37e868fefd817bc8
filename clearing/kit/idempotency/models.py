"""Table of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Hash


class IdempotencyRecord(Base):
    """The first answer to a request. It is written in the transaction of the request's effect: both are there, or neither."""

    __tablename__ = "idempotency_records"

    principal: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Merchant or role on whose behalf the request came, so that a rotated API key does not open a second effect."""
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(Hash)
    status: Mapped[int]
    body: Mapped[str]
    location: Mapped[str | None] = mapped_column(default=None)
    """Id of the order that the request made, where the answer depends on the order's progress."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert, index=True)
