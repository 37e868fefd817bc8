"""How a fill is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from loyalty.api.fields import View
from loyalty.fills.models import FillState


class FillView(View):
    """What a pump or a wash bay gave out at one go."""

    COLUMNS = {  # noqa: RUF012
        "device": "device_id",
        "station": "station_id",
        "customer": "customer_id",
        "sale": "sale_id",
    }

    id: str
    device: str
    number: str
    station: str
    point: str
    state: FillState = Field(description="`closed`: its end was never told, and it has what was seen last")
    started_at: datetime
    last_at: datetime
    ends_at: datetime = Field(description="while it runs: when it will be closed")
    total: dict[str, Any] | None = Field(description="what it has given out so far")
    customer: str | None = Field(description="for whom it is reserved")
    shown: str | None = Field(description="what was shown that nobody is known by")
    sale: str | None = Field(description="the sale that it became")
    corrections: int
    problem: str | None = Field(description="why it cannot be booked as it is")
    created_at: datetime
