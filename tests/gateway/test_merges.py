"""Merges over HTTP: they say what they do before they do it, and show each merchant what it signs."""

from __future__ import annotations

import asyncio

import pytest

from clearing.ordering.merges.rounds import MergeRound
from tests.gateway.site import Party, Site
from tongdui import AsyncClient, Client, ConflictError


@pytest.fixture
def pair(site: Site, fuel: Party) -> tuple[str, str]:
    """Two members of one person; the first has 100 points of FUEL."""
    old, new = fuel.member(), fuel.member()
    site.give(old, "FUEL", 100)
    return old, new


def test_a_merge_says_first_that_it_cannot_be_undone(site: Site, fuel: Party, pair: tuple[str, str]) -> None:
    old, new = pair
    name = fuel.get(f"/v1/members/{old}")["external_id"]
    proposed = fuel.post("/v1/merges", {"member": f"external:{name}", "into": new})
    assert (proposed["state"], proposed["member"], proposed["into"]) == ("proposed", old, new)
    assert "cannot be undone" in proposed["warning"]
    (account,) = proposed["accounts"]
    assert account == {
        "program": "FUEL",
        "merchant": fuel.id,
        "signed_by": "gateway",
        "posted": 100,
        "available": 100,
        "reference": f"merge:{proposed['id']}:{account['reference'].split(':')[2]}:1",
    }
    assert fuel.get(f"/v1/members/{old}")["id"] == old, "nothing has happened yet"

    moving = fuel.post(f"/v1/merges/{proposed['id']}/confirm", {})
    assert (moving["state"], moving["warning"]) == ("moving", None)
    merged = fuel.get(f"/v1/members/{old}")
    assert (merged["id"], merged["merged"]) == (new, [old])
    assert set(merged["external_ids"]) == {name, fuel.get(f"/v1/members/{new}")["external_id"], *merged["external_ids"]}
    assert fuel.get(f"/v1/members/external:{name}") == merged
    fuel.refused(f"/v1/merges/{proposed['id']}/cancel", {}, "merge_ended", 409)

    MergeRound(site.database, site.settings, site.app.state.gateway.keyrings.managed_keys).run()
    (transfer,) = fuel.get(f"/v1/transfers?member={new}")["data"]
    assert (transfer["points"], transfer["reference"]) == (100, account["reference"])
    assert fuel.get(f"/v1/merges/{proposed['id']}")["accounts"][0]["available"] == 0
    types = [event["type"] for event in fuel.get(f"/v1/events?subject={old}")["data"]]
    assert types == ["member.merged", "member.merge_proposed", "member.registered"]


def test_the_old_member_is_in_no_list_and_its_movements_are_the_new_ones(fuel: Party) -> None:
    old, new = fuel.member("gone"), fuel.member("stays")
    fuel.post("/v1/issuances", {"program": "FUEL", "member": old, "points": 5})
    fuel.post(f"/v1/merges/{fuel.post('/v1/merges', {'member': old, 'into': new})['id']}/confirm", {})
    listed = fuel.get("/v1/members?external_id=gone")["data"]
    assert [member["id"] for member in listed] == [new]
    assert old not in [member["id"] for member in fuel.get("/v1/members?limit=200")["data"]]
    assert fuel.site.get(f"/v1/members/{old}", caller="auditor")["id"] == new


def test_merges_are_seen_by_those_whom_they_concern(
    site: Site, fuel: Party, cine: Party, pair: tuple[str, str], exchange_agreement: str
) -> None:
    old, new = pair
    alien = site.merchant(program="MALIEN")
    site.give(old, "MALIEN", 3)
    site.give(old, "CINE", 2)
    merge = fuel.post("/v1/merges", {"member": old, "into": new})
    assert [account["program"] for account in merge["accounts"]] == ["FUEL", "CINE"], "what it deals with"
    seen = alien.get(f"/v1/merges/{merge['id']}")
    assert [(account["program"], account["posted"]) for account in seen["accounts"]] == [("MALIEN", 3)]
    assert [found["id"] for found in cine.get("/v1/merges?state=proposed")["data"]] == [merge["id"]]
    assert len(site.get(f"/v1/merges/{merge['id']}", caller="auditor")["accounts"]) == 3
    stranger = site.merchant()
    assert site.call("GET", f"/v1/merges/{merge['id']}", caller=stranger.id).status_code == 404
    assert site.call("POST", f"/v1/merges/{merge['id']}/confirm", {}, caller=cine.id).status_code == 404
    assert fuel.get(f"/v1/merges?member={old}")["data"] == [merge]
    assert fuel.post(f"/v1/merges/{merge['id']}/cancel", {})["state"] == "cancelled"


def test_a_merge_names_the_wrong_field(fuel: Party, pair: tuple[str, str]) -> None:
    old, _ = pair
    problem = fuel.refused("/v1/merges", {"member": old, "into": "external:nobody"}, "unknown_member", 404)
    assert problem["errors"][0]["pointer"] == "/into"
    problem = fuel.refused("/v1/merges", {"member": old, "into": old}, "same_member")
    assert problem["errors"][0]["pointer"] == "/into"
    fuel.post("/v1/holds", {"program": "FUEL", "member": old, "points": 1})
    fuel.refused("/v1/merges", {"member": old, "into": fuel.member()}, "holds_open", 409)


def test_the_sdk_merges(site: Site, fuel: Party, pair: tuple[str, str]) -> None:
    old, new = pair
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        assert client.members.get(old).id == old
        merge = client.merges.create(member=old, into=new)
        assert merge.warning is not None
        assert not merge.is_final
        assert client.merges.cancel(merge).is_final
        with pytest.raises(ConflictError):
            client.merges.confirm(merge)
        merge = client.merges.confirm(client.merges.create(member=old, into=new))
        assert client.merges.get(merge.id).state == "moving"
        assert [found.id for found in client.merges.list(state="moving", member=new)] == [merge.id]
        assert client.members.get(old).id == new


def test_the_async_sdk_merges(site: Site, fuel: Party, pair: tuple[str, str]) -> None:
    old, new = pair

    async def run() -> None:
        async with AsyncClient(str(site.http.base_url), site.keys[fuel.id]) as client:
            merge = await client.merges.confirm(await client.merges.create(member=old, into=new))
            assert (await client.merges.get(merge)).state == "moving"
            assert merge.id in [found.id async for found in client.merges.list()]

    asyncio.run(run())
