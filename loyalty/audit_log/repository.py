"""SQL of the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.audit_log.models import AuditEntry
from loyalty.kit.paging import page_of


class AuditLogRepository:
    """The audit log in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, entry: AuditEntry) -> None:
        """Adds an entry."""
        self._session.add(entry)

    def page(
        self, subject: str | None, actor: str | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[AuditEntry], str | None]:
        """Entries, newest first."""
        query = select(AuditEntry)
        if subject is not None:
            query = query.where(AuditEntry.subject == subject)
        if actor is not None:
            query = query.where(AuditEntry.actor == actor)
        return page_of(self._session, query, AuditEntry.id, cursor, limit)
