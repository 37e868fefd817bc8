"""How a difference is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from loyalty.api.fields import View


class DifferenceView(View):
    """Something that the programme and the chain do not say alike."""

    id: str
    code: str = Field(
        description="`missing_there`, `not_settled_there`, `points_differ`, `leaf_differs`, `unknown_here` or `refused_here`"
    )
    subject: str = Field(description="the wish, or the network's movement if there is no wish")
    reference: str | None
    here: dict[str, Any] = Field(description="what the programme says")
    there: dict[str, Any] = Field(description="what the network says")
    found_at: datetime
    closed_at: datetime | None
