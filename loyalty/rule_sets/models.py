"""Table of rule sets."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.plans.models import KeptPlan


class KeptRuleSet(KeptPlan):
    """One version of a rule set."""

    __tablename__ = "rule_sets"

    program: Mapped[str] = mapped_column(String(32))
    """The network's program whose points it awards."""
