"""Stations: added and changed."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi.responses import Response

from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.stations.service import StationService
from pages.forms import Form, Text
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/stations")
_ROWS = 50
_CODE = re.compile(r"[^\s:~/?#]{1,20}")


class Change(Form):
    """What may change of a station."""

    name = Text(lazy("Name"), longest=80)
    region = Text(lazy("Region"), longest=40, required=False)
    time_zone = Text(lazy("Time zone"), longest=64, hint=lazy("Such as Asia/Shanghai"))

    def check(self) -> None:
        """There is such a time zone."""
        try:
            ZoneInfo(self.values["time_zone"])
        except (ValueError, OSError, ZoneInfoNotFoundError):
            self.refuse("time_zone", _("There is no such time zone."))


class New(Change):
    """A station that is new."""

    code = Text(lazy("Code"), longest=20, hint=lazy("As tills send it, such as S17. It is kept for ever."), focus=True)

    def check(self) -> None:
        """The code can be part of a document number."""
        super().check()
        if not _CODE.fullmatch(self.values["code"]):
            self.refuse("code", _("Use no spaces, and none of : ~ / ? #"))


@router.get("")
def stations(visit: Visiting) -> Response:
    """Stations, the last code first."""
    rows, following = StationService(visit.session).page(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page("stations/list.html", rows=rows, pager=pager_of(visit.request, following))


@router.get("/new")
def ask_new(visit: Visiting) -> Response:
    """What a new station is called."""
    return _page(visit, New({"time_zone": visit.parts.settings.timezone}), None)


@router.post("/new")
def add(visit: Visiting) -> Response:
    """Adds a station."""
    form = New(sent=visit.sent)
    if form.is_valid and StationService(visit.session).find(form.values["code"]) is not None:
        form.refuse("code", _("There is a station with this code. Open it to change it."))
    return _keep(visit, form, None)


@router.get("/{station}")
def one(visit: Visiting, station: str) -> Response:
    """One station, to change it."""
    found = StationService(visit.session).get(station)
    names = ("name", "region", "time_zone")
    return _page(visit, Change({name: getattr(found, name) for name in names}), found.id)


@router.post("/{station}")
def change(visit: Visiting, station: str) -> Response:
    """Changes a station."""
    found = StationService(visit.session).get(station)
    return _keep(visit, Change(sent=visit.sent), found.id)


def _keep(visit: Visit, form: Form, station: str | None) -> Response:
    if form.is_valid:
        values = form.values
        StationService(visit.session).keep(
            station or values["code"],
            name=values["name"],
            region=values["region"] or "",
            time_zone=values["time_zone"],
            actor=visit.actor,
        )
        return visit.redirect("/stations", _("The station is kept."))
    return _page(visit, form, station)


def _page(visit: Visit, form: Form, station: str | None) -> Response:
    return visit.page(
        "stations/form.html",
        form=form,
        station=station,
        status=form.status,
        crumbs=[(station or _("New station"), None)],
    )
