"""Table of gift plans."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.plans.models import KeptPlan


class KeptGiftPlan(KeptPlan):
    """One version of a gift plan."""

    __tablename__ = "gift_plans"

    program: Mapped[str] = mapped_column(String(32))
    """The network's program whose points it gives."""
