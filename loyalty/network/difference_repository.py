"""SQL of checks and differences."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.network.models import Check, Difference


class DifferenceRepository:
    """Checks and differences in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Check | Difference) -> None:
        """Adds a check that came to its end, or a difference."""
        self._session.add(row)
        self._session.flush()

    def last_check(self) -> Check | None:
        """The last check that came to its end."""
        return self._session.scalars(select(Check).order_by(Check.id.desc()).limit(1)).one_or_none()

    def get(self, difference: str) -> Difference | None:
        """The difference with this id, for a change of it."""
        return self._session.get(Difference, difference, with_for_update=True)

    def seen(self, difference: str) -> Difference | None:
        """The difference with this id."""
        return self._session.get(Difference, difference)

    def is_known(self, code: str, subject: str) -> bool:
        """Whether this was found before."""
        query = (
            select(func.count()).select_from(Difference).where(Difference.code == code, Difference.subject == subject)
        )
        return bool(self._session.scalar(query))

    def page(self, *, is_open: bool | None, cursor: str | None, limit: int) -> tuple[Sequence[Difference], str | None]:
        """Differences, newest first."""
        query = select(Difference)
        if is_open is not None:
            query = query.where(Difference.closed_at.is_(None) if is_open else Difference.closed_at.is_not(None))
        return page_of(self._session, query, Difference.id, cursor, limit)

    def open_count(self) -> int:
        """How many differences nobody has closed."""
        return (
            self._session.scalar(select(func.count()).select_from(Difference).where(Difference.closed_at.is_(None)))
            or 0
        )
