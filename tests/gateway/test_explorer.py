"""The public explorer: what the chain shows anyway can be read without a credential, if the operator wants that; nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearing.ordering.orders.models import OrderState
from gateway.http.auth import RULES
from tests.gateway.site import Party, Site

PUBLIC = {
    "/v1/network",
    "/v1/batches",
    "/v1/batches/{batch}",
    "/v1/entries",
    "/v1/entries/{leaf}",
    "/v1/entries/{leaf}/receipt",
}


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("explorer")
    with Site(f"sqlite:///{directory / 'tongdui.db'}", directory, public_explorer=True) as running:
        yield running


@pytest.fixture(scope="module")
def fuel(open_site: Site) -> Party:
    return open_site.merchant("Gas", program="FUEL")


@pytest.fixture(scope="module")
def address(open_site: Site, fuel: Party) -> str:
    """The address of a member with one entry."""
    issuance = fuel.post(
        "/v1/issuances", {"program": "FUEL", "member": fuel.member("private-1"), "points": 5, "reference": "till-1"}
    )
    open_site.finish(issuance["order"], OrderState.SETTLED)
    return str(fuel.get("/v1/entries")["data"][0]["member_address"])


def test_everything_that_the_chain_shows_can_be_read_without_a_credential(open_site: Site, address: str) -> None:
    http = open_site.http
    entry = http.get(f"/v1/entries?member={address}").json()["data"][0]
    paths = [
        "/v1/network",
        "/v1/batches",
        f"/v1/batches/{entry['batch']}",
        f"/v1/entries?batch={entry['batch']}",
        f"/v1/entries/{entry['leaf']}",
        f"/v1/entries/{entry['leaf']}/receipt",
    ]
    for path in paths:
        response = http.get(path)
        assert response.status_code == 200, response.text
        for private in ("private-1", "till-1", "mem_"):
            assert private not in response.text, path


def test_no_other_route_is_public(open_site: Site) -> None:
    assert {path for (_, path), rule in RULES.items() if rule.is_public} == PUBLIC
    assert {method for (method, _), rule in RULES.items() if rule.is_public} == {"GET"}
    for (method, path), rule in RULES.items():
        if not rule.is_public and not rule.is_open:  # to sign in, nobody can have signed in
            response = open_site.http.request(method, path.replace("{", "").replace("}", ""))
            assert (response.status_code, response.json()["code"]) == (401, "unauthenticated"), path


def test_what_says_more_than_the_chain_needs_a_credential(open_site: Site, fuel: Party, address: str) -> None:
    for query in ("member=external:private-1", "expand[]=merchant"):
        response = open_site.http.get(f"/v1/entries?{query}")
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated"), query
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert fuel.get(f"/v1/entries?{query}")["data"]
    wrong = open_site.http.get("/v1/entries", headers={"Authorization": "Bearer tdk_wrong_key"})
    assert wrong.status_code == 401, "a wrong credential is no missing one"
