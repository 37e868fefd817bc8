"""How an entry of the audit log is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from loyalty.audit_log.models import AuditEntry


class AuditEntryView(BaseModel):
    """Who did what."""

    id: str
    at: datetime
    actor: str = Field(description="the id of a key, or `command line`")
    action: str = Field(examples=["wish.retried"])
    subject: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditEntryView:
        """The view of a row."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})
