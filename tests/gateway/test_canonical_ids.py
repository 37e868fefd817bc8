"""One customer is one member, however a till has written the number: bodies, paths and queries are made canonical alike."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from clearing.kit.fields import LONGEST_TEXT
from tests.gateway.site import Party, Site
from tongdui import Client

WRITTEN = [
    "FC-1001",
    "ＦＣ－１００１",
    "FC-1001\u200b",
    "\ufeffFC-1001",
    "`FC-1001",
    "'FC-1001",
    '="FC-1001"',
    " FC-1001\u3000",
]
"""The same card, as six tills and two spreadsheets write it."""


def segment(name: str) -> str:
    return quote(name, safe="")


def test_a_card_is_one_member_however_it_is_written(fuel: Party) -> None:
    found = [fuel.post("/v1/members", {"external_id": written}) for written in WRITTEN]
    assert len({member["id"] for member in found}) == 1
    assert {member["external_id"] for member in found} == {"FC-1001"}
    for written in WRITTEN:
        name = segment(f"external:{written}")
        assert fuel.get(f"/v1/members/{name}")["id"] == found[0]["id"]
        assert fuel.get(f"/v1/members/{name}/accounts")["data"] == []
        assert fuel.get(f"/v1/members/{name}/accounts/FUEL/lots")["data"] == []
        assert [m["id"] for m in fuel.get(f"/v1/members?external_id={segment(written)}")["data"]] == [found[0]["id"]]


@pytest.mark.parametrize("written", WRITTEN)
def test_movements_and_lists_name_the_same_member(site: Site, fuel: Party, written: str) -> None:
    member = fuel.post("/v1/members", {"external_id": "FC-1001"})["id"]
    name = f"external:{written}"
    site.give(member, "FUEL", 3)
    body = {"program": "FUEL", "member": name, "points": 1}
    issued = fuel.post("/v1/issuances", body)
    held = fuel.post("/v1/holds", body)
    order = fuel.post("/v1/orders", {"instructions": [{"kind": "redeem", **body}]})
    assert {issued["member"], held["member"], order["movements"][0]["member"]} == {member}
    other = fuel.member()
    site.give(other, "FUEL", 1)
    gift = fuel.post("/v1/transfers", {**body, "member": other, "recipient": name})
    assert gift["recipient"] == member
    assert issued["id"] in [m["id"] for m in fuel.get(f"/v1/issuances?member={segment(name)}")["data"]]
    assert held["id"] in [h["id"] for h in fuel.get(f"/v1/holds?member={segment(name)}")["data"]]
    assert fuel.get(f"/v1/entries?member={segment(name)}")["data"] == []


def test_a_further_number_and_a_retired_one_are_canonical_too(site: Site, fuel: Party) -> None:
    member = fuel.post("/v1/members", {"external_id": "first-card"})["id"]
    added = fuel.post(f"/v1/members/{member}/external_ids", {"external_id": "ｓｅｃｏｎｄ-card"})
    assert added["external_ids"] == ["first-card", "second-card"]
    path = f"/v1/members/{segment('external:`first-card')}/external_ids/{segment('second-card ')}"
    assert site.call("DELETE", path, caller=fuel.id).json()["external_ids"] == ["first-card"]
    fuel.refused("/v1/members", {"external_id": "`second-card"}, "external_id_retired", 409)


def test_a_prefix_is_canonical(fuel: Party) -> None:
    member = fuel.post("/v1/members", {"external_id": "PREFIX-1"})["id"]
    assert [m["id"] for m in fuel.get(f"/v1/members?q={segment('ＰＲＥＦＩＸ－')}")["data"]] == [member]


@pytest.mark.parametrize("empty", ["", " ", "\u200b", "'", '=""', "\u3000\ufeff"])
def test_nothing_but_guards_is_no_number(fuel: Party, empty: str) -> None:
    problem = fuel.refused("/v1/members", {"external_id": empty}, "validation_failed")
    assert problem["errors"][0]["pointer"] == "/external_id"
    assert "is empty" in problem["errors"][0]["detail"]
    body = {"program": "FUEL", "member": f"external:{empty}", "points": 1}
    problem = fuel.refused("/v1/issuances", body, "validation_failed")
    assert problem["errors"][0]["pointer"] == "/member"
    assert "1 to 128 characters" in problem["errors"][0]["detail"]


def test_the_limit_holds_for_the_canonical_form(fuel: Party) -> None:
    longest = "x" * LONGEST_TEXT
    assert fuel.post("/v1/members", {"external_id": f'="{longest}"'})["external_id"] == longest
    assert fuel.get(f"/v1/members/external:{longest}")["external_id"] == longest
    for written in (f"{longest}y", "ﷺ" * 8):  # one letter that stands for eighteen
        fuel.refused("/v1/members", {"external_id": written}, "validation_failed")
        body: dict[str, Any] = {"program": "FUEL", "member": f"external:{written}", "points": 1}
        fuel.refused("/v1/issuances", body, "validation_failed")


def test_what_an_importer_refuses_may_be_a_real_number_here(fuel: Party) -> None:
    assert fuel.post("/v1/members", {"external_id": "1E5"})["external_id"] == "1E5"


def test_the_client_pins_one_address_for_all_ways_of_writing(site: Site, fuel: Party) -> None:
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        member = client.members.create(external_id="ＰＩＮ－１")
        directory = client._submitter.directory
        for written in ("PIN-1", "`PIN-1", "PIN-1\u200b"):
            assert directory.known_address(f"external:{written}") == member.address
        client.members.add_external_id(member, "PIN-2")
        client.members.retire_external_id(member, "ＰＩＮ－１")
        assert directory.known_address("external:PIN-1") is None
