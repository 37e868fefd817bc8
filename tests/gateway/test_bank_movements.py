"""Lists of deposits and withdrawals: by the bank's reference, by merchant, by day."""

from __future__ import annotations

from typing import Any

from tests.gateway.site import Site


def _references(site: Site, query: str, **options: Any) -> list[str]:
    return [one["bank_reference"] for one in site.get(f"/v1/deposits?{query}", **options)["data"]]


def test_bookings_are_found_by_reference_merchant_and_time(site: Site) -> None:
    one, two = site.merchant(program="BKA"), site.merchant(program="BKB")
    booked = {}
    for party, reference in ((one, "BK-1"), (one, "BK-2"), (two, "BK-3")):
        booked[reference] = site.book("deposit", party.id, 7_000_000, reference)
    wanted = "bank_reference[]=BK-1&bank_reference[]=BK-3&bank_reference[]=BK-9"
    assert _references(site, wanted, caller="treasury") == ["BK-3", "BK-1"]
    assert _references(site, f"merchant={one.id}") == ["BK-2", "BK-1"]
    assert site.get(f"/v1/withdrawals?{wanted}")["data"] == []
    moment = booked["BK-2"]["created_at"].replace("+00:00", "Z")
    assert "BK-2" not in _references(site, f"created[lt]={moment}&merchant={one.id}")
    assert "BK-2" in _references(site, f"created[gte]={moment}&merchant={one.id}")
    assert _references(site, f"state=failed&merchant={one.id}") == []
    assert two.get(f"/v1/deposits?{wanted}")["data"][0]["bank_reference"] == "BK-3", "nobody sees another's"
    assert two.get(f"/v1/deposits?merchant={one.id}")["data"] == []
