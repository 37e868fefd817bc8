"""What an auditor reads: any member's accounts by id or address, past days, and nothing with which it could act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.site import Party, Site


def address_of(site: Site, member: str) -> str:
    return str(site.get(f"/v1/members/{member}", caller="auditor")["address"])


def test_an_auditor_reads_any_members_accounts_by_id_and_by_address(site: Site, fuel: Party, member: str) -> None:
    address = address_of(site, member)
    for name in (member, address, "0x" + address[2:].upper()):
        (account,) = site.get(f"/v1/members/{name}/accounts", caller="auditor")["data"]
        assert (account["member"], account["program"], account["posted"]) == (member, "FUEL", 100)
        assert site.get(f"/v1/members/{name}", caller="auditor")["id"] == member
        assert site.get(f"/v1/movements?member={name}", caller="auditor")["data"] == []
    lots = site.call("GET", f"/v1/members/{address}/accounts/FUEL/lots", caller="auditor")
    assert lots.json() == site.get(f"/v1/members/{member}/accounts/FUEL/lots", caller="auditor")


def test_no_merchants_number_for_a_member_is_shown_to_an_auditor(site: Site, fuel: Party) -> None:
    member = fuel.member("private-number-8")
    for path in (f"/v1/members/{member}", "/v1/members", f"/v1/members/{member}/accounts"):
        assert "private-number-8" not in site.call("GET", path, caller="auditor").text
    assert site.call("GET", "/v1/members/external:private-number-8", caller="auditor").status_code == 404


def test_a_merchant_cannot_name_a_member_by_its_address(site: Site, fuel: Party, cine: Party, member: str) -> None:
    address = address_of(site, member)
    for party in (fuel, cine):
        assert site.call("GET", f"/v1/members/{address}/accounts", caller=party.id).status_code == 404


def test_the_accounts_of_an_erased_members_address_can_still_be_read(site: Site, fuel: Party) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 30)
    address = address_of(site, member)
    fuel.post(f"/v1/members/{member}/erase", {"forfeit_points": True})
    (account,) = site.get(f"/v1/members/{address}/accounts", caller="auditor")["data"]
    assert (account["member"], account["posted"]) == (None, 30)
    assert site.call("GET", f"/v1/members/{address}", caller="auditor").status_code == 404
    assert site.call("GET", f"/v1/members/0x{'9' * 40}/accounts", caller="auditor").status_code == 404


def yesterday(site: Site) -> str:
    network = site.app.state.gateway.network
    return str(network.date_of(network.day_at(site.clock.unix()) - 1))


def test_before_the_first_block_all_was_zero(site: Site, fuel: Party, member: str) -> None:
    day = yesterday(site)
    shown = {"as_of": day, "block_number": None, "block_hash": None, "final": False}
    (account,) = site.get(f"/v1/members/{member}/accounts?as_of={day}", caller="auditor")["data"]
    assert account == {**shown, "member": member, "program": "FUEL", "posted": 0}
    assert site.get(f"/v1/positions/{fuel.id}?as_of={day}", caller="auditor") == {
        **shown,
        "merchant": fuel.id,
        "position_micros": 0,
    }
    listed = site.get(f"/v1/positions?as_of={day}&limit=1", caller="auditor")
    assert [set(row) for row in listed["data"]] == [{*shown, "merchant", "position_micros"}]
    assert fuel.get(f"/v1/positions?as_of={day}")["data"][0]["merchant"] == fuel.id, "a merchant asks for its own"
    assert site.call("GET", f"/v1/positions/{fuel.id}?as_of={day}", caller="treasury").status_code == 200


@pytest.mark.parametrize("path", ["/v1/positions", "/v1/positions/{merchant}", "/v1/members/{member}/accounts"])
def test_what_is_no_day_that_is_over_is_refused_by_its_name(site: Site, fuel: Party, member: str, path: str) -> None:
    today = str(site.app.state.gateway.network.date_of(site.app.state.gateway.network.day_at(site.clock.unix())))
    later = str((site.clock.now() + timedelta(days=400)).date())
    for as_of in (today, later, "2026-13-01", "yesterday", "17", "2026-01-01T00:00:00Z", ""):
        place = path.format(merchant=fuel.id, member=member)
        response = site.call("GET", f"{place}?as_of={as_of}", caller="auditor")
        assert response.status_code == 422, (as_of, response.text)
        problem: dict[str, Any] = response.json()
        assert [error["parameter"] for error in problem["errors"]] == ["as_of"]
        assert as_of == "2026-13-01" or "must be a day" in problem["errors"][0]["detail"]
