"""Events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.http.schemas import View


class EventView(View):
    """Something that happened to `subject`."""

    id: str
    type: str = Field(examples=["order.settled"])
    subject: str
    actor: str = Field(description="who did it: an API key (`key_...`), a person (`staff:stf_...`) or a process")
    actor_name: str | None = Field(
        default=None,
        description="the person's name; null for what is no person, and for people of another merchant",
    )
    merchant: str | None
    data: dict[str, Any]
    created_at: datetime
