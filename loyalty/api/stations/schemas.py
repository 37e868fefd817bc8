"""How a station is written and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints

from loyalty.api.fields import Body, Name, StationCode, View


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"{name!r} is no time zone, such as Asia/Shanghai") from None
    return name


class StationBody(Body):
    """A station as it shall be."""

    id: StationCode = Field(examples=["S17"])
    name: Name = Field(examples=["Changjiang Road"])
    region: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)] = Field("", examples=["north"])
    time_zone: Annotated[str, AfterValidator(_zone)] = Field("Asia/Shanghai", max_length=64)


class StationView(View):
    """A station."""

    id: str
    name: str
    region: str
    time_zone: str
    created_at: datetime
