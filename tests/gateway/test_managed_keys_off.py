"""A gateway that keeps no keys of merchants: whatever would need one is refused, and everything else works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.site import Site
from tongdui import LocalSigner


@pytest.fixture
def fresh_site_without_keys(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with Site(database_url, tmp_path, managed_keys=False) as running:
        yield running


def test_it_makes_no_key_for_a_new_merchant(fresh_site_without_keys: Site) -> None:
    site = fresh_site_without_keys
    refused = site.call("POST", "/v1/merchants", {"name": "Station", "managed_key": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "managed_keys_off")
    assert refused.json()["errors"][0]["pointer"] == "/signer_address"
    assert [one["name"] for one in site.get("/v1/merchants")["data"]] == ["Network"]
    own = site.post("/v1/merchants", {"name": "Station", "signer_address": LocalSigner.generate().address})
    assert site.get("/v1/merchants")["data"][0]["id"] == own["id"]


def test_it_signs_no_order_with_a_key_that_was_kept_before(database_url: str, tmp_path: Path) -> None:
    with Site(database_url, tmp_path) as before:
        station = before.merchant(program="FUEL")
        member = station.member("7")
        keys = before.keys
    with Site(database_url, tmp_path, managed_keys=False) as site:
        body = {"program": "FUEL", "member": member, "points": 5}
        refused = site.call("POST", "/v1/issuances", body, caller=keys[station.id])
        assert (refused.status_code, refused.json()["code"]) == (422, "managed_keys_off")
        assert refused.json()["errors"][0]["pointer"] == "/authorization"
        assert site.get("/v1/issuances", caller=keys[station.id])["data"] == [], "nothing is half done"
        assert site.get(f"/v1/members/{member}", caller=keys[station.id])["id"] == member
