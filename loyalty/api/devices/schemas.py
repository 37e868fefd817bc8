"""How a device and what it posted are written and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from loyalty.api.fields import Body, Name, StationCode, View
from loyalty.devices.models import DeviceKind
from loyalty.devices.service import NewDevice
from loyalty.fills.events import Point
from loyalty.fills.models import EventKind

_DAY_SECONDS = 86_400


class NewDeviceBody(Body):
    """A device that is added."""

    station: StationCode = Field(examples=["S17"])
    name: Name = Field(examples=["pump 3"])
    kind: DeviceKind
    point: Point | None = Field(
        None,
        description="of a pump or a wash bay: its code at the station, which no till has; of a camera or a reader: where it stands",
        examples=["P3"],
    )
    category: str = Field("", max_length=40, description="of what it gives out, where an event does not say")
    recognition_seconds: int = Field(
        600, ge=0, le=_DAY_SECONDS, description="how long before a fill somebody may be seen"
    )
    idle_seconds: int = Field(
        900, ge=1, le=_DAY_SECONDS, description="after how long without an event a fill is closed"
    )

    def new(self) -> NewDevice:
        """The device."""
        return NewDevice(**self.model_dump())


class DeviceView(View):
    """A device."""

    COLUMNS = {"station": "station_id", "key": "key_id"}  # noqa: RUF012

    id: str
    station: str
    name: str
    kind: DeviceKind
    point: str | None
    category: str
    recognition_seconds: int
    idle_seconds: int
    key: str
    last_seen_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None


class AddedDeviceView(DeviceView):
    """A device that was just added, or was just given a new key."""

    secret: str | None = Field(description="of its key, shown once: a repeated request has null here")


class EventView(View):
    """What a device posted."""

    COLUMNS = {"device": "device_id", "fill": "fill_id", "customer": "customer_id"}  # noqa: RUF012

    id: str
    device: str
    number: str
    kind: EventKind
    point: str
    at: datetime
    fill: str | None = Field(description="the fill that it is a part of")
    customer: str | None = Field(description="who was known by the plate or the card when it came")
    content: dict[str, Any]
    received_at: datetime
