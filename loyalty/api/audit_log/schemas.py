"""How an entry of the audit log is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from loyalty.api.fields import View


class AuditEntryView(View):
    """Who did what."""

    id: str
    at: datetime
    actor: str = Field(description="the id of a key, or `command line`")
    action: str = Field(examples=["wish.retried"])
    subject: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
