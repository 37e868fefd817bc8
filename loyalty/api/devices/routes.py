"""Devices: staff add and revoke them, and they post what they saw."""

from __future__ import annotations

from loyalty.api.devices.schemas import AddedDeviceView, DeviceView, EventView, NewDeviceBody
from loyalty.api.fields import Decision
from loyalty.devices.models import DeviceKind
from loyalty.devices.service import DeviceService
from loyalty.fills.events import SentEvent
from loyalty.fills.models import EventKind
from loyalty.fills.service import FillService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown

router = api("devices")


@router.get("/v1/devices")
def list_devices(
    call: Calling, station: str | None = None, kind: DeviceKind | None = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[DeviceView]:
    """Devices, newest first."""
    found = DeviceService(call.session).page(station=station, kind=kind, cursor=cursor, limit=limit)
    return shown(found, DeviceView.of)


@router.post("/v1/devices", status_code=201)
def add_device(call: Calling, new: NewDeviceBody) -> AddedDeviceView:
    """Add a device. Its key's secret is in this answer, and nowhere else."""
    device, secret = DeviceService(call.session).add(new.new(), actor=call.actor)
    call.secrets.add("secret")
    return AddedDeviceView.of(device, secret=secret)


@router.post("/v1/devices/{device}/rotate-key")
def rotate_key(call: Calling, device: str, decision: Decision) -> AddedDeviceView:
    """Give a device a new key; the old one ends at once. The new one's secret is in this answer, and nowhere else."""
    found, secret = DeviceService(call.session).rotate_key(device, actor=call.actor, reason=decision.reason)
    call.secrets.add("secret")
    return AddedDeviceView.of(found, secret=secret)


@router.post("/v1/devices/{device}/revoke")
def revoke_device(call: Calling, device: str, decision: Decision) -> DeviceView:
    """End a device and its key at once."""
    return DeviceView.of(DeviceService(call.session).revoke(device, actor=call.actor, reason=decision.reason))


@router.get("/v1/devices/events")
def list_events(
    call: Calling,
    device: str | None = None,
    fill: str | None = None,
    kind: EventKind | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EventView]:
    """What devices posted, that which came last first."""
    found = FillService(call.session).events(device=device, fill=fill, kind=kind, cursor=cursor, limit=limit)
    return shown(found, EventView.of)


@router.post("/v1/devices/events", status_code=201)
def take_event(call: Calling, event: SentEvent) -> EventView:
    """Keep what the calling device saw, and book what follows. The same event again gets the same answer, whatever key it has."""
    device = DeviceService(call.session).with_key(call.actor)
    return EventView.of(FillService(call.session).take(device, event))
