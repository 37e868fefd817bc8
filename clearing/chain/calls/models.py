"""Table of privileged calls: what the operator and the treasury ask of the contract."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, choice


class CallState(StrEnum):
    """`pending` waits for the sequencer; `submitted` is in a transaction; the others are final."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"


ON_ITS_WAY = (CallState.PENDING, CallState.SUBMITTED)
"""The states of a call that is neither done nor refused."""


class Call(Base):
    """A call of the contract (onboarding, limits, deposits) that a role key signs."""

    __tablename__ = "calls"

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    function: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[list[Any]] = mapped_column(JSON)
    """JSON values; bytes as 0x-prefixed hex."""
    subject: Mapped[str] = mapped_column(String(40), index=True)
    """Id of the resource for which it is made."""
    state: Mapped[CallState] = mapped_column(choice(CallState), default=CallState.PENDING, index=True)
    error: Mapped[str | None] = mapped_column(default=None)
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("transactions.id"), index=True, default=None)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
