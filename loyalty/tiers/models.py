"""Tables of tier schemes and of who moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, chosen, time_of_insert
from loyalty.plans.models import KeptPlan
from loyalty.tiers.standing import MoveCause


class KeptTierScheme(KeptPlan):
    """One version of a tier scheme."""

    __tablename__ = "tier_schemes"


class TierMove(Base):
    """A customer has another tier."""

    __tablename__ = "tier_moves"
    __table_args__ = (Index("tier_moves_customer_index", "customer_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    scheme: Mapped[str] = mapped_column(ForeignKey("tier_schemes.id"))
    from_tier: Mapped[str] = mapped_column(String(40))
    to_tier: Mapped[str] = mapped_column(String(40))
    cause: Mapped[MoveCause] = mapped_column(chosen(MoveCause))
    measures: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What was counted in the window that reached most."""
    moved_at: Mapped[datetime] = mapped_column(default=time_of_insert)
