"""Table of bonuses."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big, chosen, time_of_insert
from loyalty.network.models import REFERENCE


class Cause(StrEnum):
    """For what a bonus is given."""

    TASK = "task"
    REFERRAL = "referral"
    JOINING = "joining"
    PROFILE = "profile"
    BIRTHDAY = "birthday"


class Bonus(Base):
    """Points for something that a customer did. What is given once has one row that is not taken back."""

    __tablename__ = "bonuses"
    __table_args__ = (
        Index(
            "bonuses_cause_unique",
            "customer_id",
            "cause",
            "key",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
            sqlite_where=text("revoked_at IS NULL"),
        ),
        Index("bonuses_customer_index", "customer_id", "id"),
        CheckConstraint("points > 0", name="points"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    cause: Mapped[Cause] = mapped_column(chosen(Cause))
    key: Mapped[str] = mapped_column(String(140))
    """What is given once to a customer: `three-days:2026-12:0:3`."""
    plan: Mapped[str | None] = mapped_column(String(40))
    """The version of the plan that gives it."""
    program: Mapped[str] = mapped_column(String(32))
    points: Mapped[int] = mapped_column(Big)
    reason: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Why, in both languages: `en` and `zh`."""
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    """The business days on whose sales it depends."""
    reference: Mapped[str] = mapped_column(String(REFERENCE), unique=True)
    """The wish by which its points move."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    revoked_at: Mapped[datetime | None]
    revoked_for: Mapped[str | None] = mapped_column(String(40))
    """What took it back: a return's id."""
    revoked_by: Mapped[str | None] = mapped_column(String(REFERENCE), unique=True)
    """The wish by which its points move back; None where there was nothing to take back."""
