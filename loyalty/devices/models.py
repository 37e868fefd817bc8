"""Table of devices."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, chosen, partial_index, time_of_insert


class DeviceKind(StrEnum):
    """What a device is."""

    PUMP = "pump"
    WASH_BAY = "wash_bay"
    PLATE_CAMERA = "plate_camera"
    CARD_READER = "card_reader"
    TILL = "till"

    @property
    def fills(self) -> bool:
        """Whether it gives out something: it has a point of its own."""
        return self in (DeviceKind.PUMP, DeviceKind.WASH_BAY)


class Device(Base):
    """Something at a station that posts what it saw. Its key is its own."""

    __tablename__ = "devices"
    __table_args__ = (
        partial_index(
            "devices_point_unique",
            "station_id",
            "point",
            where="revoked_at IS NULL AND kind IN ('pump', 'wash_bay')",
            unique=True,
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[DeviceKind] = mapped_column(chosen(DeviceKind))
    point: Mapped[str | None] = mapped_column(String(12))
    """Of a pump or a wash bay: its code at the station, the till of its sales. Of a camera or a reader: where it stands."""
    category: Mapped[str] = mapped_column(String(40), default="")
    """Of what it gives out, where an event does not say."""
    recognition_seconds: Mapped[int] = mapped_column(default=600)
    """How long before a fill a plate or a card may be shown."""
    idle_seconds: Mapped[int] = mapped_column(default=900)
    """After how long without an event a fill is closed."""
    key_id: Mapped[str] = mapped_column(ForeignKey("keys.id"), unique=True)
    broker_hash: Mapped[str | None] = mapped_column(String(200))
    """The secret of its key as the broker knows it. None for a device that was added before there was a broker."""
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    revoked_at: Mapped[datetime | None]
