"""The columns that every table of plans has."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from loyalty.kit.database import Base, time_of_insert


class KeptPlan(Base):
    """One version of a plan. A draft until it is published; neither ever changes."""

    __abstract__ = True

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Index, ...]:  # noqa: N805 (SQLAlchemy gives the class)
        """A version is written once, and the published ones are found quickly."""
        return (
            Index(f"{cls.__tablename__}_name_version_unique", "name", "version", unique=True),
            Index(f"{cls.__tablename__}_published_index", "published_at"),
        )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    """The id that the plan gives itself."""
    version: Mapped[int]
    content: Mapped[str] = mapped_column(Text)
    """The plan as JSON."""
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    published_at: Mapped[datetime | None]
