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
    actor: str = Field(description="the id of a person or a key, or `command line`")
    actor_name: str | None = Field(description="what the person or the key is called")
    action: str = Field(examples=["wish.retried"])
    subject: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
