"""What somebody looks for in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which audited events; None means any."""

    actor: str | None = None
    type: str | None = None
    subject: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
