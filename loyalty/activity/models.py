"""Table of customers' days."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big


class CustomerDay(Base):
    """What a customer bought on a business day, less what came back of it."""

    __tablename__ = "customer_days"
    __table_args__ = (
        CheckConstraint("visits >= 0", name="visits"),
        CheckConstraint("spend_micros >= 0", name="spend"),
        CheckConstraint("litres_milli >= 0", name="litres"),
        CheckConstraint("points >= 0", name="points"),
    )

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    business_day: Mapped[date] = mapped_column(primary_key=True)
    visits: Mapped[int] = mapped_column(default=0)
    """Sales of which something is left."""
    spend_micros: Mapped[int] = mapped_column(Big, default=0)
    litres_milli: Mapped[int] = mapped_column(Big, default=0)
    points: Mapped[int] = mapped_column(Big, default=0)
    """What sales have earned."""
