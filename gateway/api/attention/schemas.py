"""What a merchant should look at."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from clearing.oversight.attention.service import MOST, Matter
from gateway.http.schemas import View


class AttentionView(View):
    """A matter to look at, and where."""

    kind: Matter
    count: int = Field(description=f"how many; {MOST} stands for as many or more")
    since: datetime | None = Field(description="when the oldest that was counted began, where that is known")
    until: datetime | None = Field(description="when the first one ends, where they end")
    collection: str = Field(description="the list below `/v1/` that shows them", examples=["movements"])
    filter: dict[str, str] = Field(
        description="the parameters that narrow the list to them", examples=[{"state": "rejected"}]
    )


class AttentionsView(View):
    """Everything to look at now, what is urgent first."""

    data: list[AttentionView]
