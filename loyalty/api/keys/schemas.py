"""How a key is shown, and what a new one needs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from loyalty.api.fields import View
from loyalty.staff.models import Role


class NewKey(BaseModel):
    """Who gets a key, and what it may do."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)] = Field(
        examples=["till 3 of station 17"]
    )
    role: Role


class KeyView(View):
    """A key, without its secret."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """A key that was just made."""

    secret: str | None = Field(description="shown once: a repeated request has null here")
