"""SQL of till files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, undefer

from loyalty.kit.paging import page_of
from loyalty.till_files.models import FileState, TillFile, TillFileRefusal


class TillFileRepository:
    """Till files in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, file: TillFile) -> None:
        """Adds a till file."""
        self._session.add(file)
        self._session.flush()

    def get(self, file: str) -> TillFile | None:
        """The till file with this id, as it is now."""
        return self._session.get(TillFile, file, populate_existing=True)

    def with_content(self, station: str, fingerprint: bytes) -> TillFile | None:
        """The station's file with this content, as it is now."""
        query = select(TillFile).where(TillFile.station_id == station, TillFile.fingerprint == fingerprint)
        return self._session.scalars(query.execution_options(populate_existing=True)).one_or_none()

    def content(self, file: str) -> bytes | None:
        """What is kept of a file until it has been taken in."""
        query = select(TillFile).where(TillFile.id == file).options(undefer(TillFile.content))
        found = self._session.scalars(query.execution_options(populate_existing=True)).one_or_none()
        return None if found is None else found.content

    def drop_contents(self, before: datetime) -> None:
        """Forgets what is kept of files that were taken in before a moment."""
        is_old = (TillFile.state != FileState.WAITING, TillFile.finished_at < before, TillFile.content.is_not(None))
        self._session.execute(update(TillFile).where(*is_old).values(content=None))

    def drop_content(self, file: str) -> None:
        """Forgets what was kept of a file."""
        self._session.execute(update(TillFile).where(TillFile.id == file).values(content=None))

    def waiting(self, limit: int) -> Sequence[str]:
        """Ids of files that wait for the worker, the oldest first."""
        query = select(TillFile.id).where(TillFile.state == FileState.WAITING, TillFile.content.is_not(None))
        return self._session.scalars(query.order_by(TillFile.id).limit(limit)).all()

    def page(self, station: str | None, cursor: str | None, limit: int) -> tuple[Sequence[TillFile], str | None]:
        """Till files, newest first."""
        query = select(TillFile)
        if station is not None:
            query = query.where(TillFile.station_id == station)
        return page_of(self._session, query, TillFile.id, cursor, limit)

    def add_refusals(self, refusals: Sequence[TillFileRefusal]) -> None:
        """Keeps what was refused."""
        self._session.add_all(refusals)
        self._session.flush()

    def forget_refusals(self, file: str) -> None:
        """Forgets what was refused: the file is taken in anew."""
        self._session.execute(delete(TillFileRefusal).where(TillFileRefusal.file_id == file))

    def refusals_after(self, file: str, after: str, limit: int) -> Sequence[TillFileRefusal]:
        """What was refused of a file after a refusal, the first first."""
        row = TillFileRefusal
        query = select(row).where(row.file_id == file, row.id > after).order_by(row.id).limit(limit)
        return self._session.scalars(query).all()

    def refusals(self, file: str, cursor: str | None, limit: int) -> tuple[Sequence[TillFileRefusal], str | None]:
        """What was refused of a file, the last first."""
        query = select(TillFileRefusal).where(TillFileRefusal.file_id == file)
        return page_of(self._session, query, TillFileRefusal.id, cursor, limit)
