"""Table of budgets."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big


class BudgetUse(Base):
    """What a rule's budget has paid in a period, less what returns gave back."""

    __tablename__ = "budget_uses"
    __table_args__ = (CheckConstraint("points >= 0", name="points"),)

    rule_set: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The name of the rule set: its versions share their budgets. A task's is `task:` and its name."""
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    """A month, such as `2026-11`, or `all`."""
    points: Mapped[int] = mapped_column(Big, default=0)
    is_closed: Mapped[bool] = mapped_column(default=False)
