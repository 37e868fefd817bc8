"""Rules of progress: which resources will still change by themselves."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from clearing.oversight.progress.repository import ProgressRepository


class ProgressService:
    """Progress in one session. Reads only."""

    def __init__(self, session: Session) -> None:
        self._progress = ProgressRepository(session)

    def unfinished(self, ids: Collection[str]) -> set[str]:
        """Those of the resources with these ids (orders, movements, merchants ...) that will change by themselves."""
        return self._progress.unfinished(ids)
