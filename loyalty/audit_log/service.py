"""Notes who did what, in the transaction that does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from loyalty.audit_log.models import AuditEntry
from loyalty.audit_log.repository import AuditLogRepository
from loyalty.kit.ids import new_id

COMMAND_LINE = "command line"
"""The actor of whoever has a shell on the programme's machine."""


class AuditLog:
    """The audit log in one transaction."""

    def __init__(self, session: Session) -> None:
        self._entries = AuditLogRepository(session)

    def note(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        reason: str | None = None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        """Notes an action. `before` and `after` have what it changed, and nothing of a customer or a secret."""
        self._entries.add(
            AuditEntry(
                id=new_id("aud"), actor=actor, action=action, subject=subject, reason=reason, before=before, after=after
            )
        )

    def page(
        self, *, subject: str | None, actor: str | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[AuditEntry], str | None]:
        """Entries, newest first: of a subject, of an actor, or all."""
        return self._entries.page(subject, actor, cursor, limit)
