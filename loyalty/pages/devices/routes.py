"""Devices: found by station and kind, added, revoked, and the events that they posted."""

from __future__ import annotations

import re

from fastapi.responses import Response

from loyalty.devices.models import Device, DeviceKind
from loyalty.devices.service import DeviceService, NewDevice
from loyalty.fills.models import EventKind
from loyalty.fills.service import FillService
from loyalty.pages.names import DEVICE_KINDS, EVENT_KINDS
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from pages.filters import read_filters
from pages.forms import Choice, Form, Text, Whole
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/devices")
_ROWS = 50
_CODE = re.compile(r"[^\s:~]+")
_DAY_SECONDS = 86_400
_KINDS = {kind.value: name for kind, name in DEVICE_KINDS.items()}
_EVENTS = {kind.value: name for kind, name in EVENT_KINDS.items()}


class Added(Form):
    """A device that is added."""

    station = Text(lazy("Station"), longest=20, hint=lazy("Its code, such as S17"), focus=True)
    name = Text(lazy("Name"), longest=80, hint=lazy("Such as pump 3"))
    kind = Choice(lazy("Kind"), options=_KINDS, radio=True)
    point = Text(
        lazy("Point"),
        longest=12,
        required=False,
        hint=lazy(
            "Of a pump or a wash bay: its code at the station, which no till has, such as P3. Of a camera: where it stands."
        ),
    )
    category = Text(
        lazy("Category"), longest=40, required=False, hint=lazy("Of what it gives out, where an event does not say")
    )
    recognition_seconds = Whole(lazy("Seconds before a fill in which somebody may be seen"), most=_DAY_SECONDS)
    idle_seconds = Whole(lazy("Seconds without an event after which a fill is closed"), least=1, most=_DAY_SECONDS)

    def check(self) -> None:
        """A point can be part of a document number."""
        if self.values["point"] and not _CODE.fullmatch(self.values["point"]):
            self.refuse("point", _("Use no spaces, and none of : ~"))

    def new(self) -> NewDevice:
        """The device."""
        values = self.values | {"kind": DeviceKind(self.values["kind"]), "category": self.values["category"] or ""}
        return NewDevice(**values)


@router.get("")
def devices(visit: Visiting) -> Response:
    """Devices, newest first."""
    filters = read_filters(visit.request.query_params, choices={"kind": _KINDS}, texts={"station": 20})
    kind = filters.asked.get("kind")
    rows, following = DeviceService(visit.session).page(
        station=filters.asked.get("station"),
        kind=DeviceKind(kind) if kind else None,
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "devices/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        kinds=_KINDS.items(),
        pager=pager_of(visit.request, following),
    )


@router.get("/new")
def ask_new(visit: Visiting) -> Response:
    """Which device is to be added."""
    initial = {"station": visit.request.query_params.get("station"), "recognition_seconds": 600, "idle_seconds": 900}
    return _new_page(visit, Added(initial))


@router.post("/new")
def add(visit: Visiting) -> Response:
    """Adds a device, and shows its key's secret once."""
    form = Added(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            device, secret = DeviceService(visit.session).add(form.new(), actor=visit.actor)
        if form.is_valid:
            return _secret_page(visit, _("The device is there"), device, secret)
    return _new_page(visit, form)


@router.get("/events")
def events(visit: Visiting) -> Response:
    """What devices posted, that which came last first."""
    filters = read_filters(visit.request.query_params, choices={"kind": _EVENTS}, texts={"device": 40, "fill": 40})
    kind = filters.asked.get("kind")
    rows, following = FillService(visit.session).events(
        device=filters.asked.get("device"),
        fill=filters.asked.get("fill"),
        kind=EventKind(kind) if kind else None,
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "devices/events.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        kinds=_EVENTS.items(),
        pager=pager_of(visit.request, following),
        crumbs=[(_("Events"), None)],
    )


@router.get("/{device}/rotate-key")
def ask_rotate(visit: Visiting, device: str) -> Response:
    """Why a device is given a new key."""
    return _reason_page(visit, "rotate", device, Because())


@router.post("/{device}/rotate-key")
def rotate_key(visit: Visiting, device: str) -> Response:
    """Gives a device a new key, and shows its secret once."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            found, secret = DeviceService(visit.session).rotate_key(
                device, actor=visit.actor, reason=form.values["reason"]
            )
        if form.is_valid:
            return _secret_page(visit, _("The device has a new key"), found, secret)
    return _reason_page(visit, "rotate", device, form)


@router.get("/{device}/revoke")
def ask_revoke(visit: Visiting, device: str) -> Response:
    """Why a device is revoked."""
    return _reason_page(visit, "revoke", device, Because())


@router.post("/{device}/revoke")
def revoke(visit: Visiting, device: str) -> Response:
    """Ends a device and its key at once."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            DeviceService(visit.session).revoke(device, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect("/devices", _("The device is revoked, and its key with it."))
    return _reason_page(visit, "revoke", device, form)


def _new_page(visit: Visit, form: Form) -> Response:
    return visit.page("devices/new.html", form=form, status=form.status, crumbs=[(_("New device"), None)])


def _secret_page(visit: Visit, title: str, device: Device, secret: str) -> Response:
    return visit.page("devices/secret.html", title=title, device=device, secret=secret, crumbs=[(device.name, None)])


def _reason_page(visit: Visit, name: str, device: str, form: Form) -> Response:
    found = DeviceService(visit.session).get(device)
    crumbs = [(found.name, None)]
    return visit.page(f"devices/{name}.html", form=form, device=found, status=form.status, crumbs=crumbs)
