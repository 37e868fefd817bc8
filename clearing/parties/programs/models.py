"""Table of programs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, choice


class ProgramStatus(StrEnum):
    """`pending` until the chain confirms the registration; then what the contract says."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"


class Program(Base):
    """A points currency. `number` is its id on the chain, counted from 1."""

    __tablename__ = "programs"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), index=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    status: Mapped[ProgramStatus] = mapped_column(choice(ProgramStatus), default=ProgramStatus.PENDING)
    default_lifetime_days: Mapped[int | None] = mapped_column(default=None)
    """After how many days points expire if their issuance does not say; None means never."""
    issuance_cap: Mapped[int] = mapped_column(Big, default=0)
    """The most points of a network day on the chain; 0 means any number."""
    next_issuance_cap: Mapped[int] = mapped_column(Big, default=0)
    """Counts in its place from `next_cap_day` on."""
    next_cap_day: Mapped[int | None] = mapped_column(default=None)
    uncapped_day: Mapped[int | None] = mapped_column(default=None)
    """The network day on which the program got a cap. What it had issued before on that day, `uncapped_points`, does not count."""
    uncapped_points: Mapped[int] = mapped_column(Big, default=0)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    def cap_on(self, day: int) -> int:
        """The most points of a network day; 0 means any number."""
        return (
            self.next_issuance_cap if self.next_cap_day is not None and day >= self.next_cap_day else self.issuance_cap
        )

    def cap_after(self, day: int) -> tuple[int, int]:
        """The cap that comes after a network day, and the day from which it counts; (0, 0) if none comes."""
        return (
            (self.next_issuance_cap, self.next_cap_day)
            if self.next_cap_day is not None and self.next_cap_day > day
            else (0, 0)
        )
