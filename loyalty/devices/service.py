"""Rules of devices: each belongs to a station and has a key of its own, which ends with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.devices.broker import broker_hash
from loyalty.devices.models import Device, DeviceKind
from loyalty.devices.repository import DeviceRepository
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Malformed, NotAllowed, Unknown
from loyalty.kit.ids import new_id
from loyalty.staff.models import Role
from loyalty.staff.service import KeyService
from loyalty.stations.service import StationService


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """A device that is added."""

    station: str
    name: str
    kind: DeviceKind
    point: str | None
    category: str
    recognition_seconds: int
    idle_seconds: int


class DeviceService:
    """Devices in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._devices = DeviceRepository(session)
        self._keys = KeyService(session)
        self._stations = StationService(session)
        self._log = AuditLog(session)

    def add(self, new: NewDevice, *, actor: str) -> tuple[Device, str]:
        """Adds a device; returns it with its key's secret, which nobody can see again.

        Raises:
            Malformed: A pump or a wash bay has no point.
            Unknown: There is no such station.
            Contradiction: Another device is in use at this point.
        """
        self._stations.get(new.station, "/station")
        if new.kind.fills and new.point is None:
            detail = f"a {new.kind} needs a point: the code of its place at the station, which no till has, such as P3"
            raise Malformed("point_missing", detail, pointer="/point")
        if new.kind.fills:
            lock(self._session, f"point:{new.station}:{new.point}")
            other = self._devices.at_point(new.station, str(new.point))
            if other is not None:
                detail = f"{other.id} is in use at {new.point}: revoke it first, or give this one another point"
                raise Contradiction("point_taken", detail, pointer="/point")
        key, secret = self._keys.add(new.name, Role.DEVICE, actor=actor)
        device = Device(
            id=new_id("dev"),
            station_id=new.station,
            name=new.name,
            kind=new.kind,
            point=new.point,
            category=new.category,
            recognition_seconds=new.recognition_seconds,
            idle_seconds=new.idle_seconds,
            key_id=key.id,
            broker_hash=broker_hash(secret),
            last_seen_at=None,
            revoked_at=None,
        )
        self._devices.add(device)
        after = {"station": new.station, "name": new.name, "kind": new.kind.value, "point": new.point, "key": key.id}
        self._log.note(actor, "device.added", device.id, after=after)
        return device, secret

    def rotate_key(self, device_id: str, *, actor: str, reason: str) -> tuple[Device, str]:
        """Gives a device a new key in the place of its own, which ends at once; returns it with the new one's secret, which nobody
        can see again. Raises Unknown, and Contradiction if the device is revoked."""
        lock(self._session, f"device:{device_id}")
        device = self.get(device_id)
        if device.revoked_at is not None:
            raise Contradiction("device_revoked", f"{device_id} is revoked: add it anew")
        before = device.key_id
        key, secret = self._keys.add(device.name, Role.DEVICE, actor=actor)
        self._keys.revoke(before, actor=actor, reason=reason)
        device.key_id, device.broker_hash = key.id, broker_hash(secret)
        self._session.flush()
        change = {"before": {"key": before}, "after": {"key": key.id}}
        self._log.note(actor, "device.key_rotated", device.id, reason=reason, **change)
        return device, secret

    def revoke(self, device_id: str, *, actor: str, reason: str) -> Device:
        """Ends a device and its key at once. A device that has ended stays as it is. Raises Unknown."""
        lock(self._session, f"device:{device_id}")
        device = self.get(device_id)
        if device.revoked_at is None:
            self._keys.revoke(device.key_id, actor=actor, reason=reason)
            device.revoked_at = clock_of(self._session).now()
            change = {"before": {"revoked": False}, "after": {"revoked": True}}
            self._log.note(actor, "device.revoked", device.id, reason=reason, **change)
        return device

    def get(self, device_id: str) -> Device:
        """The device with this id. Raises Unknown."""
        device = self._devices.get(device_id)
        if device is None:
            raise Unknown("unknown_device", f"there is no device {device_id}")
        return device

    def with_key(self, key_id: str) -> Device:
        """The device that calls. Raises NotAllowed if the key is none of a device that is in use."""
        device = self._devices.with_key(key_id)
        if device is None or device.revoked_at is not None:
            raise _no_device()
        return device

    def at_point(self, station: str, point: str, pointer: str = "/point") -> Device:
        """The pump or wash bay that is in use at a point. Raises Malformed."""
        device = self._devices.at_point(station, point)
        if device is None:
            detail = (
                f"there is no pump and no wash bay {point} at {station}: add it, or name the point at which it was seen"
            )
            raise Malformed("unknown_point", detail, pointer=pointer)
        return device

    def of_broker(self) -> list[tuple[str, str]]:
        """Ids of all devices in use that the broker can know, each with the hash of its secret."""
        return self._devices.of_broker()

    def check_sender(self, key_id: str, station: str) -> None:
        """Refuses a sale or a return that a device sends for another station than its own. Raises Malformed, and NotAllowed if the
        key has the role of a device and is none's: before devices had keys of their own, it could send for every station."""
        self.sender_check(key_id)(station)

    def sender_check(self, key_id: str) -> Callable[[str], None]:
        """The same for many sales or returns of one sender: what raises Malformed for a station."""
        device = self._devices.with_key(key_id)
        if device is None and self._keys.get(key_id).role is Role.DEVICE:
            raise _no_device()

        def check(station: str) -> None:
            if device is not None and device.station_id != station:
                detail = f"{device.id} stands at {device.station_id}, and sends nothing for {station}"
                raise Malformed("other_station", detail, pointer="/station")

        return check

    def page(
        self, *, station: str | None, kind: DeviceKind | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Device], str | None]:
        """Devices, newest first."""
        return self._devices.page(station, kind, cursor, limit)


def _no_device() -> NotAllowed:
    return NotAllowed("no_device", "this key is no device's: add the device, and use the key that it gets")
