"""Tables of awards, of what returns took back of them, and of what rounding left."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big, time_of_insert
from loyalty.network.models import REFERENCE


class BookedAward(Base):
    """What one rule gave for one sale."""

    __tablename__ = "awards"
    __table_args__ = (
        Index("awards_sale_rule_unique", "sale_id", "rule", unique=True),
        Index("awards_customer_index", "customer_id", "id"),
        CheckConstraint("points >= 0", name="points"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    sale_id: Mapped[str] = mapped_column(ForeignKey("sales.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    rule: Mapped[str] = mapped_column(String(64))
    rule_set: Mapped[str] = mapped_column(ForeignKey("rule_sets.id"))
    points: Mapped[int] = mapped_column(Big)
    reference: Mapped[str | None] = mapped_column(String(REFERENCE), unique=True)
    """The wish by which its points move; None for an award of no points."""
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The whole award with its reasons, as evaluation gave it."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class BookedTakeBack(Base):
    """What one return took back of one award."""

    __tablename__ = "take_backs"
    __table_args__ = (
        Index("take_backs_award_index", "award_id"),
        CheckConstraint("points >= 0", name="points"),
    )

    return_id: Mapped[str] = mapped_column(ForeignKey("returns.id"), primary_key=True)
    award_id: Mapped[str] = mapped_column(ForeignKey("awards.id"), primary_key=True)
    points: Mapped[int] = mapped_column(Big)
    reference: Mapped[str | None] = mapped_column(String(REFERENCE), unique=True)
    """The wish by which they move back; None where only the remainder changed."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class CarriedRemainder(Base):
    """What rounding left a customer of a rule."""

    __tablename__ = "remainders"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    rule_set: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The name of the rule set."""
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    """A fraction of a point, such as `2/3`. Returns in part make its denominator longer and longer."""
