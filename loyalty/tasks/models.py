"""Table of tasks."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.plans.models import KeptPlan


class KeptTask(KeptPlan):
    """One version of a task."""

    __tablename__ = "tasks"

    program: Mapped[str] = mapped_column(String(32))
    """The network's program whose points it gives."""
