"""Stations: what cannot be meant is refused with the field."""

from __future__ import annotations

import pytest

from tests.loyalty.intake.shop import Shop, done, refused


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "+08:00", "", "../etc/passwd", "x" * 65])
@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_an_unknown_time_zone_is_refused(shop: Shop, zone: str) -> None:
    station = {"id": "S18", "name": "Hill", "time_zone": zone}
    refused(shop.api.post("/v1/stations", station), 422, "validation_failed", "/time_zone")
    assert [one["id"] for one in done(shop.api.get("/v1/stations"))["data"]] == ["S17"]
