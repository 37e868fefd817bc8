"""Tables of what devices posted, and of the fills that it makes up."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big, chosen, partial_index, time_of_insert


class EventKind(StrEnum):
    """What a device saw."""

    PLATE_SEEN = "plate_seen"
    CARD_SHOWN = "card_shown"
    STARTED = "started"
    PROGRESS = "progress"
    DONE = "done"

    @property
    def is_sighting(self) -> bool:
        """Whether it tells who is there, and not what a fill gives out."""
        return self in (EventKind.PLATE_SEEN, EventKind.CARD_SHOWN)


class FillState(StrEnum):
    """How far a fill is."""

    RUNNING = "running"
    DONE = "done"
    CLOSED = "closed"
    """Its end was never told: it was closed with what was seen last."""


class DeviceEvent(Base):
    """What a device posted, once or five times: the device's number says which it is."""

    __tablename__ = "device_events"
    __table_args__ = (
        Index("device_events_number_unique", "device_id", "number", unique=True),
        Index("device_events_point_index", "station_id", "point", "at"),
        Index("device_events_fill_index", "fill_id", "id"),
        partial_index("device_events_progress_index", "id", where="kind = 'progress'"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    number: Mapped[str] = mapped_column(String(32))
    kind: Mapped[EventKind] = mapped_column(chosen(EventKind))
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    point: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime]
    """When the device saw it, by its own clock."""
    fill_id: Mapped[str | None] = mapped_column(ForeignKey("fills.id"))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    """Who was known by the plate or the card when the event came."""
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The event as it was sent."""
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    received_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class Fill(Base):
    """What a pump or a wash bay gave out at one go. It is the same whatever the order in which its events come."""

    __tablename__ = "fills"
    __table_args__ = (
        Index("fills_number_unique", "device_id", "number", unique=True),
        Index("fills_point_index", "station_id", "point", "ends_at"),
        partial_index("fills_running_index", "ends_at", where="state = 'running'"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    number: Mapped[str] = mapped_column(String(20))
    """The device's own number of the fill."""
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    point: Mapped[str] = mapped_column(String(12))
    state: Mapped[FillState] = mapped_column(chosen(FillState), default=FillState.RUNNING)
    started_at: Mapped[datetime]
    """The first that was seen of it."""
    last_at: Mapped[datetime]
    """The last that was seen of it."""
    ends_at: Mapped[datetime]
    """When it was done or closed; while it runs, when it will be closed."""
    total: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What it has given out so far: article, category, unit, quantity_milli, amount_micros."""
    total_order: Mapped[str] = mapped_column(String(80), default="")
    """Which event the total is from: of two, the one that sorts last."""
    quantity_milli: Mapped[int] = mapped_column(Big, default=0)
    amount_micros: Mapped[int] = mapped_column(Big, default=0)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    """For whom it is reserved: who was recognised."""
    shown: Mapped[str | None] = mapped_column(String(100))
    """What was shown that nobody is known by."""
    sale_id: Mapped[str | None] = mapped_column(ForeignKey("sales.id"))
    """The sale that it became; after a correction, the right one."""
    booked: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Of what was booked: what differs from it is corrected."""
    corrections: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str | None] = mapped_column(String(500))
    """Why it cannot be booked as it is."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
