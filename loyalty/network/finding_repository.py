"""SQL of checks and findings."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.network.models import Check, Finding


class FindingRepository:
    """Checks and findings in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Check | Finding) -> None:
        """Adds a check that came to its end, or a finding."""
        self._session.add(row)
        self._session.flush()

    def last_check(self) -> Check | None:
        """The last check that came to its end."""
        return self._session.scalars(select(Check).order_by(Check.id.desc()).limit(1)).one_or_none()

    def get(self, finding: str) -> Finding | None:
        """The finding with this id, for a change of it."""
        return self._session.get(Finding, finding, with_for_update=True)

    def is_known(self, code: str, subject: str) -> bool:
        """Whether this was found before."""
        query = select(func.count()).select_from(Finding).where(Finding.code == code, Finding.subject == subject)
        return bool(self._session.scalar(query))

    def page(self, *, is_open: bool | None, cursor: str | None, limit: int) -> tuple[Sequence[Finding], str | None]:
        """Findings, newest first."""
        query = select(Finding)
        if is_open is not None:
            query = query.where(Finding.closed_at.is_(None) if is_open else Finding.closed_at.is_not(None))
        return page_of(self._session, query, Finding.id, cursor, limit)

    def open_count(self) -> int:
        """How many findings nobody has closed."""
        return self._session.scalar(select(func.count()).select_from(Finding).where(Finding.closed_at.is_(None))) or 0
