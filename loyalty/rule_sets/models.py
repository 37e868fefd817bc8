"""Table of rule sets."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class KeptRuleSet(Base):
    """One version of a rule set. A draft until it is published; neither ever changes."""

    __tablename__ = "rule_sets"
    __table_args__ = (
        Index("rule_sets_name_version_unique", "name", "version", unique=True),
        Index("rule_sets_published_index", "published_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    """The id that the rule set gives itself."""
    version: Mapped[int]
    program: Mapped[str] = mapped_column(String(32))
    """The network's program whose points it awards."""
    content: Mapped[str] = mapped_column(Text)
    """The set as JSON."""
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    published_at: Mapped[datetime | None]
