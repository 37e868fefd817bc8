"""SQL of corrections."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.corrections.models import Correction
from loyalty.kit.paging import page_of


class CorrectionRepository:
    """Corrections in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, correction: Correction) -> None:
        """Adds a correction."""
        self._session.add(correction)
        self._session.flush()

    def with_right(self, sale: str) -> Correction | None:
        """The correction that has this sale for the right one."""
        return self._session.scalars(select(Correction).where(Correction.right_id == sale)).one_or_none()

    def with_wrong(self, sale: str) -> Correction | None:
        """The correction that has this sale for the wrong one."""
        return self._session.scalars(select(Correction).where(Correction.wrong_id == sale)).one_or_none()

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Correction], str | None]:
        """Corrections, newest first."""
        return page_of(self._session, select(Correction), Correction.id, cursor, limit)
