"""Stations: where things are sold."""

from __future__ import annotations

from loyalty.api.stations.schemas import StationBody, StationView
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.stations.service import StationService

router = api("stations")


@router.get("/v1/stations")
def list_stations(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[StationView]:
    """Stations, the last code first."""
    return shown(StationService(call.session).page(cursor=cursor, limit=limit), StationView.of)


@router.post("/v1/stations")
def keep_station(call: Calling, station: StationBody) -> StationView:
    """Add a station, or change the one with this code."""
    found = StationService(call.session).keep(
        station.id, name=station.name, region=station.region, time_zone=station.time_zone, actor=call.actor
    )
    return StationView.of(found)
