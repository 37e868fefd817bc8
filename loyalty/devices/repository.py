"""SQL of devices."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.devices.models import Device, DeviceKind
from loyalty.kit.paging import page_of

_GIVING = [kind for kind in DeviceKind if kind.fills]


class DeviceRepository:
    """Devices in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, device: Device) -> None:
        """Adds a device."""
        self._session.add(device)
        self._session.flush()

    def get(self, device: str) -> Device | None:
        """The device with this id."""
        return self._session.get(Device, device)

    def with_key(self, key: str) -> Device | None:
        """The device whose key it is."""
        return self._session.scalars(select(Device).where(Device.key_id == key)).one_or_none()

    def at_point(self, station: str, point: str) -> Device | None:
        """The pump or wash bay that is in use at a point."""
        query = select(Device).where(
            Device.station_id == station,
            Device.point == point,
            Device.kind.in_(_GIVING),
            Device.revoked_at.is_(None),
        )
        return self._session.scalars(query).one_or_none()

    def of_broker(self) -> list[tuple[str, str]]:
        """Ids of devices in use, with the hash of the secret of each that has one."""
        query = select(Device.id, Device.broker_hash).where(Device.revoked_at.is_(None)).order_by(Device.id)
        return [(device, hashed) for device, hashed in self._session.execute(query) if hashed is not None]

    def page(
        self, station: str | None, kind: DeviceKind | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Device], str | None]:
        """Devices, newest first."""
        query = select(Device)
        if station is not None:
            query = query.where(Device.station_id == station)
        if kind is not None:
            query = query.where(Device.kind == kind)
        return page_of(self._session, query, Device.id, cursor, limit)
