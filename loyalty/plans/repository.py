"""SQL of plans of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Generic, TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.plans.models import KeptPlan

RowT = TypeVar("RowT", bound=KeptPlan)


class PlanRepository(Generic[RowT]):
    """Plans of one kind in one session."""

    def __init__(self, session: Session, row: type[RowT]) -> None:
        self._session = session
        self._row = row

    def add(self, kept: RowT) -> None:
        """Adds a version."""
        self._session.add(kept)
        self._session.flush()

    def get(self, plan: str, *, for_update: bool = False) -> RowT | None:
        """The version with this id."""
        return self._session.get(self._row, plan, with_for_update=for_update or None, populate_existing=for_update)

    def version(self, name: str, version: int) -> RowT | None:
        """The version of a plan."""
        row = self._row
        return self._session.scalars(select(row).where(row.name == name, row.version == version)).one_or_none()

    def newest_version(self, name: str) -> int:
        """The highest number that a version of a plan has; 0 if there is none."""
        return self._session.scalar(select(func.max(self._row.version)).where(self._row.name == name)) or 0

    def published(self, first: date, last: date) -> Sequence[RowT]:
        """All published versions that are in force on one of these days, those that were published last first."""
        row = self._row
        query = select(row).where(
            row.published_at.is_not(None), row.starts_on <= last, or_(row.ends_on.is_(None), row.ends_on >= first)
        )
        return self._session.scalars(query.order_by(row.published_at.desc(), row.id.desc())).all()

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[RowT], str | None]:
        """Versions, newest first."""
        return page_of(self._session, select(self._row), self._row.id, cursor, limit)
