"""How plans of every kind are shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from loyalty.api.fields import View

Program = Annotated[str, StringConstraints(min_length=1, max_length=32)]


class TextView(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(from_attributes=True)

    en: str
    zh: str


class PlanView(View):
    """A version of a plan."""

    id: str
    name: str = Field(description="the id that the plan gives itself")
    version: int
    starts_on: date
    ends_on: date | None
    created_at: datetime
    published_at: datetime | None = Field(description="null for a draft")
