"""Table of reconciliations."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, Hash, choice


class Scope(StrEnum):
    """How much a reconciliation compares."""

    FULL = "full"
    """Everything, from the first block on."""
    NEWS = "news"
    """What has changed since the last one that found nothing."""


class Reconciliation(Base):
    """A reconciliation that came to its end: what it compared, and what it found."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        Index(
            "reconciliations_clean_index",
            "ended_at",
            postgresql_where=text("drifts = 0"),
            sqlite_where=text("drifts = 0"),
        ),
        Index("reconciliations_scope_index", "scope", "ended_at"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    scope: Mapped[Scope] = mapped_column(choice(Scope))
    block: Mapped[int] = mapped_column(BigInt)
    block_hash: Mapped[bytes] = mapped_column(Hash)
    contract: Mapped[str] = mapped_column(String(42))
    drifts: Mapped[int]
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The report, with the first of its drifts."""
    chain_state: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Where the next one can begin, if this one found nothing."""
    oldest_open_order: Mapped[int] = mapped_column(BigInt)
    """Every order before this one was final."""
    ended_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class ReconciliationAlarm(Base):
    """The operator was notified that nothing (or not everything) was reconciled since the last clean one. At most one row of each
    kind, until there is another clean one."""

    __tablename__ = "reconciliation_alarms"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]
