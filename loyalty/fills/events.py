"""What a device posts, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from loyalty.devices.models import Device, DeviceKind
from loyalty.fills.models import EventKind
from loyalty.kit.errors import Malformed
from loyalty.sales.types import LARGEST_AMOUNT_MICROS, LARGEST_QUANTITY_MILLI, InvalidField, Line, Unit

_POINT = r"^[^\s:~]+$"

Point = Annotated[str, StringConstraints(min_length=1, max_length=12, pattern=_POINT)]
"""The code of a pump or a wash bay at its station."""

POSTED: Final[Mapping[DeviceKind, frozenset[EventKind]]] = {
    DeviceKind.PUMP: frozenset({EventKind.STARTED, EventKind.PROGRESS, EventKind.DONE, EventKind.CARD_SHOWN}),
    DeviceKind.WASH_BAY: frozenset({EventKind.STARTED, EventKind.PROGRESS, EventKind.DONE, EventKind.CARD_SHOWN}),
    DeviceKind.PLATE_CAMERA: frozenset({EventKind.PLATE_SEEN}),
    DeviceKind.CARD_READER: frozenset({EventKind.CARD_SHOWN}),
    DeviceKind.TILL: frozenset(),
}
"""What each kind of device may post."""
_TOTAL = ("article", "unit", "quantity_milli", "amount_micros")
_NEEDS: Final[Mapping[EventKind, tuple[str, ...]]] = {
    EventKind.PLATE_SEEN: ("plate",),
    EventKind.CARD_SHOWN: ("card",),
    EventKind.STARTED: ("fill",),
    EventKind.PROGRESS: ("fill", *_TOTAL),
    EventKind.DONE: ("fill", *_TOTAL),
}
_MAY: Final[Mapping[EventKind, tuple[str, ...]]] = {
    EventKind.PLATE_SEEN: ("point",),
    EventKind.CARD_SHOWN: ("point",),
    EventKind.STARTED: (),
    EventKind.PROGRESS: ("category", "unit_price_micros"),
    EventKind.DONE: ("category", "unit_price_micros"),
}


class SentEvent(BaseModel):
    """What a device saw. Which fields a kind needs stands in docs/loyalty-devices.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[\x21-\x7e]+$")] = Field(
        description="the device's own number of the event: sent again, it is the same one", examples=["20260707-118"]
    )
    kind: EventKind
    time: AwareDatetime = Field(description="when the device saw it, with its offset from UTC")
    point: Point | None = Field(
        None, description="of a plate or a card: at which pump or wash bay, if the device does not always stand at one"
    )
    plate: str | None = Field(None, min_length=1, max_length=80)
    card: str | None = Field(None, min_length=1, max_length=80)
    fill: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,20}$")] | None = Field(
        None, description="the device's own number of the fill", examples=["118"]
    )
    article: str | None = Field(None, min_length=1, max_length=40)
    category: str | None = Field(None, max_length=40)
    unit: Unit | None = None
    unit_price_micros: int | None = Field(None, ge=0, le=LARGEST_AMOUNT_MICROS)
    quantity_milli: int | None = Field(None, ge=0, le=LARGEST_QUANTITY_MILLI, description="so far, in thousandths")
    amount_micros: int | None = Field(None, ge=0, le=LARGEST_AMOUNT_MICROS, description="so far, in micros")

    def check(self, device: Device) -> None:
        """Refuses what this device cannot mean. Raises Malformed."""
        if self.kind not in POSTED[device.kind]:
            can = ", ".join(sorted(POSTED[device.kind])) or "sales and returns only, and no events"
            raise Malformed("wrong_device", f"a {device.kind} posts {can}, not {self.kind}", pointer="/kind")
        for name in _NEEDS[self.kind]:
            if getattr(self, name) is None:
                raise Malformed("field_missing", f"{self.kind} needs {name}", pointer=f"/{name}")
        known = {"number", "kind", "time", *_NEEDS[self.kind], *_MAY[self.kind]}
        for name in sorted(self.model_fields_set - known):
            if getattr(self, name) is not None:
                raise Malformed("field_unknown", f"{self.kind} has no {name}: leave it out", pointer=f"/{name}")
        if self.quantity_milli is not None:
            try:
                line_of(self.total(device))
            except InvalidField as error:
                field = error.field.partition(".")[2]
                raise Malformed("bad_event", str(error), pointer=f"/{field}") from None

    @property
    def at(self) -> datetime:
        """When the device saw it, in UTC."""
        return self.time.astimezone(UTC)

    def total(self, device: Device) -> dict[str, Any]:
        """What the fill has given out by now."""
        return {
            "article": self.article,
            "category": device.category if self.category is None else self.category,
            "unit": self.unit,
            "quantity_milli": self.quantity_milli,
            "amount_micros": self.amount_micros,
        }


def line_of(total: Mapping[str, Any]) -> Line:
    """What was given out as the line of a sale. Raises InvalidField."""
    return Line(number=1, **total)
