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
    actor: str
    merchant: str | None
    data: dict[str, Any]
    created_at: datetime
