"""Table of statements."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, BigInt, Hash


class Statement(Base):
    """One merchant's day. `closing` is exactly `opening` plus its lines and bank movements."""

    __tablename__ = "statements"
    __table_args__ = (
        UniqueConstraint("merchant_number", "day", name="statements_merchant_day_unique"),
        Index("statements_day_index", "day", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    day: Mapped[int]
    """Counted from 1970-01-01 in the network's time zone."""
    revision: Mapped[int] = mapped_column(default=1)
    """Counts up when a reorganisation changes a day that has a statement already."""
    opening: Mapped[int] = mapped_column(Big)
    closing: Mapped[int] = mapped_column(Big)
    deposited: Mapped[int] = mapped_column(Big)
    withdrawn: Mapped[int] = mapped_column(Big)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """One for each kind, program and agreement; see `builder.Line`. Python's JSON keeps numbers beyond 53 bits exact."""
    last_block: Mapped[int] = mapped_column(BigInt)
    """The last block of the day, and its hash: what the statement was made from."""
    last_hash: Mapped[bytes] = mapped_column(Hash)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
