"""What a merchant does with its members: finds them, replaces a card, stops a thief, gets to know whose points it received."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from clearing.ordering.orders.models import OrderState
from tests.gateway.site import Party, Site, together
from tongdui import AsyncClient, Client, ConflictError, NotFoundError, UnprocessableError

# -------------------------------------------------------------------- list and search


def test_a_merchant_lists_the_members_that_it_knows_in_pages(site: Site) -> None:
    shop, other = site.merchant(), site.merchant()
    ids = [shop.member(f"page-{number}") for number in range(5)]
    other.member("page-0")
    shop.post(f"/v1/members/{ids[2]}/external_ids", {"external_id": "page-2-again"})
    seen, cursor = [], ""
    while True:
        page = shop.get(f"/v1/members?limit=2{cursor}")
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [member["id"] for member in seen] == ids[::-1]
    assert seen[2]["external_ids"] == ["page-2", "page-2-again"]


def test_members_are_found_by_their_external_ids(site: Site) -> None:
    shop = site.merchant()
    names = ("A/1", "A/2", "A_3", "AB", "a/1", "A%", "王", "王小明")
    ids = {name: shop.member(name) for name in names}

    def found(query: str) -> set[str]:
        return {member["external_id"] for member in shop.get(f"/v1/members?{query}")["data"]}

    for name in names:
        assert found(f"external_id={quote(name, safe='')}") == {name}
    assert found("external_id=A") == set()
    assert found("q=A%2F") == {"A/1", "A/2"}
    assert found("q=A") == {"A/1", "A/2", "A_3", "AB", "A%"}
    assert found("q=A_") == {"A_3"}
    assert found(f"q={quote('王')}") == {"王", "王小明"}
    assert found("q=nobody") == set()
    member = site.get(f"/v1/members/{ids['AB']}", caller="auditor")
    assert site.get(f"/v1/members?address={member['address'].upper().replace('0X', '0x')}", caller="auditor")[
        "data"
    ] == [member]


def test_pages_of_a_prefix_follow_the_numbers_and_show_each_member_once(site: Site) -> None:
    shop = site.merchant()
    ids = {name: shop.member(name) for name in ("P-3", "P-1", "P-4", "Q-1", "P-2")}
    shop.post(f"/v1/members/{ids['P-4']}/external_ids", {"external_id": "P-0"})
    shop.post(f"/v1/members/{ids['P-1']}/external_ids", {"external_id": "P-9"})
    order = [ids[name] for name in ("P-4", "P-1", "P-2", "P-3")]

    def pages(query: str) -> list[str]:
        seen, cursor = [], ""
        while True:
            page = shop.get(f"/v1/members?limit=1&{query}{cursor}")
            seen += [member["id"] for member in page["data"]]
            if page["next_cursor"] is None:
                return seen
            cursor = f"&cursor={page['next_cursor']}"

    assert pages("q=P-") == order
    for member in (order[0], order[2]):
        shop.post(f"/v1/members/{member}/freeze", {"reason": "stolen"})
    site.post(f"/v1/members/{order[2]}/freeze", {"reason": "a court says so"})
    assert pages("q=P-&state=frozen") == [order[0], order[2]]
    assert pages("state=frozen") == sorted([order[0], order[2]], reverse=True), "frozen twice, shown once"
    assert pages("q=P-&state=active") == [order[1], order[3]]


def test_members_are_found_by_state_and_time(site: Site) -> None:
    shop = site.merchant()
    first = shop.member("first")
    site.clock.move(timedelta(hours=1))
    at = site.clock.now().isoformat().replace("+00:00", "Z")
    second = shop.member("second")
    shop.post(f"/v1/members/{second}/freeze", {"reason": "stolen"})

    def found(query: str) -> list[str]:
        return [member["id"] for member in shop.get(f"/v1/members?{query}")["data"]]

    assert found("state=frozen") == [second]
    assert found("state=active") == [first]
    assert found(f"created[gte]={quote(at)}") == [second]
    assert found(f"created[lt]={quote(at)}") == [first]
    assert found(f"created[gte]={quote(at)}&state=active") == []
    assert site.call("GET", "/v1/members?created[lt]=2026-01-01T00:00:00", caller=shop.id).status_code == 422


def test_only_merchants_search_external_ids_and_only_the_others_addresses(site: Site, fuel: Party) -> None:
    address = fuel.get(f"/v1/members/{fuel.member()}")["address"]
    assert site.call("GET", "/v1/members?q=c-", caller="operator").status_code == 422
    assert site.call("GET", f"/v1/members?address={address}", caller=fuel.id).status_code == 422
    assert site.get("/v1/members?limit=1", caller="auditor")["data"][0]["external_ids"] == []


# -------------------------------------------------------------------- external ids


def test_a_member_gets_a_second_card_and_loses_the_first(fuel: Party) -> None:
    member = fuel.member("card-1")
    both = fuel.post("/v1/members/external:card-1/external_ids", {"external_id": "card/2"})
    assert (both["id"], both["external_id"], both["external_ids"]) == (member, "card-1", ["card-1", "card/2"])
    assert fuel.post("/v1/members/external:card-1/external_ids", {"external_id": "card/2"}) == both
    assert fuel.get("/v1/members/external:card%2F2") == both

    gone = fuel.site.call("DELETE", f"/v1/members/{member}/external_ids/card-1", caller=fuel.id)
    assert gone.json()["external_ids"] == ["card/2"]
    assert fuel.site.call("GET", "/v1/members/external:card-1", caller=fuel.id).status_code == 404
    body = {"program": "FUEL", "member": "external:card-1", "points": 1}
    fuel.refused("/v1/issuances", body, "unknown_member", 404)


def test_a_retired_id_is_given_out_again_only_on_purpose(fuel: Party) -> None:
    first = fuel.member("lost-1")
    fuel.post(f"/v1/members/{first}/external_ids", {"external_id": "lost-2"})
    assert fuel.site.call("DELETE", f"/v1/members/{first}/external_ids/lost-1", caller=fuel.id).status_code == 200
    fuel.refused("/v1/members", {"external_id": "lost-1"}, "external_id_retired", 409)
    other = fuel.member("lost-3")
    path = f"/v1/members/{other}/external_ids"
    fuel.refused(path, {"external_id": "lost-1"}, "external_id_retired", 409)
    again = fuel.post("/v1/members", {"external_id": "lost-1", "reissue": True})
    assert again["id"] not in (first, other)
    assert fuel.post("/v1/members", {"external_id": "lost-1"}) == again


def test_an_external_id_belongs_to_one_member_and_one_member_keeps_one(site: Site, fuel: Party, cine: Party) -> None:
    one, two = fuel.member("mine-1"), fuel.member("mine-2")
    fuel.refused(f"/v1/members/{one}/external_ids", {"external_id": "mine-2"}, "external_id_taken", 409)
    last = site.call("DELETE", f"/v1/members/{one}/external_ids/mine-1", caller=fuel.id)
    assert (last.status_code, last.json()["code"]) == (422, "last_external_id")
    foreign = site.call("DELETE", f"/v1/members/{one}/external_ids/mine-2", caller=fuel.id)
    assert foreign.status_code == 404
    code = fuel.post(f"/v1/members/{two}/link_codes", {})["code"]
    cine.post("/v1/members", {"external_id": "theirs", "link_code": code})
    assert site.call("DELETE", f"/v1/members/{two}/external_ids/theirs", caller=fuel.id).status_code == 404


def test_two_ids_retired_at_once_leave_one(site: Site, fuel: Party) -> None:
    member = fuel.member("race-0")
    fuel.post(f"/v1/members/{member}/external_ids", {"external_id": "race-1"})
    paths = [f"/v1/members/{member}/external_ids/race-{number}" for number in (0, 1)]
    answers = together(2, lambda index: site.call("DELETE", paths[index], caller=fuel.id))
    assert sorted(answer.status_code for answer in answers) == [200, 422]


# -------------------------------------------------------------------- freeze


def test_nobody_takes_points_of_a_frozen_member(site: Site, fuel: Party, member: str) -> None:
    held = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 10})["id"]
    frozen = fuel.post(f"/v1/members/{member}/freeze", {"reason": "card stolen"})
    assert (frozen["state"], frozen["freezes"][0]["merchant"], frozen["freezes"][0]["reason"]) == (
        "frozen",
        fuel.id,
        "card stolen",
    )
    takes = {"program": "FUEL", "member": member, "points": 1}
    problem = fuel.refused("/v1/redemptions", takes, "member_frozen")
    assert problem["errors"][0]["pointer"] == "/member"
    fuel.refused("/v1/holds", takes, "member_frozen")
    fuel.refused(f"/v1/members/{member}/codes", {"points": 1}, "member_frozen")
    fuel.refused(f"/v1/holds/{held}/capture", {"kind": "redeem"}, "member_frozen")
    order = {"instructions": [{"kind": "issue", **takes}, {"kind": "redeem", **takes}]}
    assert fuel.refused("/v1/orders", order, "member_frozen")["errors"][0]["pointer"] == "/instructions/1/member"
    fuel.post("/v1/issuances", takes)

    assert fuel.post(f"/v1/members/{member}/unfreeze", {})["state"] == "active"
    fuel.post("/v1/redemptions", takes)
    fuel.post(f"/v1/holds/{held}/capture", {"kind": "redeem"})


def test_a_merchants_freeze_covers_its_programs_and_its_till(
    site: Site, fuel: Party, cine: Party, exchange_agreement: str
) -> None:
    member = fuel.member()
    code = fuel.post(f"/v1/members/{member}/link_codes", {})["code"]
    cine.post("/v1/members", {"external_id": f"frozen-{member}", "link_code": code})
    for program in ("FUEL", "CINE"):
        site.give(member, program, 100)
    exchange = {"agreement": exchange_agreement, "member": member, "points": 10}
    fuel.post(f"/v1/members/{member}/freeze", {"reason": "fraud"})
    fuel.refused("/v1/exchanges", exchange, "member_frozen")
    fuel.refused("/v1/quotes", exchange, "member_frozen")
    cine.post("/v1/redemptions", {"program": "CINE", "member": member, "points": 1})
    assert cine.get(f"/v1/members/{member}")["freezes"] == [], "one merchant's reasons are not the other's business"

    cine.post(f"/v1/members/{member}/freeze", {"reason": "ours"})
    cine.refused("/v1/redemptions", {"program": "CINE", "member": member, "points": 1}, "member_frozen")
    fuel.post(f"/v1/members/{member}/unfreeze", {})
    fuel.post("/v1/exchanges", exchange)
    assert len(site.get(f"/v1/members/{member}", caller="auditor")["freezes"]) == 1


def test_the_operators_freeze_counts_everywhere(site: Site, fuel: Party, cine: Party) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 10)
    site.post(f"/v1/members/{member}/freeze", {"reason": "court order"})
    assert fuel.get(f"/v1/members/{member}")["freezes"][0]["reason"] == "court order"
    takes = {"program": "FUEL", "member": member, "points": 1}
    fuel.refused("/v1/redemptions", takes, "member_frozen")
    fuel.post(f"/v1/members/{member}/unfreeze", {})
    fuel.refused("/v1/redemptions", takes, "member_frozen")
    site.post(f"/v1/members/{member}/unfreeze", {})
    fuel.post("/v1/redemptions", takes)
    types = [event["type"] for event in fuel.get(f"/v1/events?subject={member}")["data"]]
    assert types == ["member.unfrozen", "member.frozen", "member.registered"]
    assert cine.get(f"/v1/events?subject={member}")["data"] == []
    assert site.call("POST", "/v1/members/external:x/freeze", {"reason": "x"}).status_code == 404


# -------------------------------------------------------------------- claim


def test_a_merchant_claims_a_member_whose_points_it_received(
    site: Site, fuel: Party, cine: Party, exchange_agreement: str
) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 100)
    claim = {"external_id": "claimed-1", "member": member}
    cine.refused("/v1/members", claim, "unknown_member", 404)
    cine.refused("/v1/members", {**claim, "member": "mem_" + "0" * 26}, "unknown_member", 404)
    exchange = {"agreement": exchange_agreement, "member": member, "points": 10}
    order = fuel.post("/v1/exchanges", exchange)["order"]
    cine.refused("/v1/members", claim, "unknown_member", 404)
    site.finish(order, OrderState.SETTLED)
    made = site.call("POST", "/v1/members", claim, caller=cine.id)
    assert (made.status_code, made.json()["id"], made.json()["external_ids"]) == (201, member, ["claimed-1"])
    again = site.call("POST", "/v1/members", claim, caller=cine.id)
    assert (again.status_code, again.json()) == (200, made.json())
    cine.refused("/v1/members", {"external_id": "claimed-2", "member": member}, "member_known", 409)
    cine.refused("/v1/members", {**claim, "link_code": "x"}, "validation_failed")
    site.merchant("Uninvolved").refused("/v1/members", claim, "unknown_member", 404)


def test_a_rejected_movement_lets_nobody_claim(site: Site, fuel: Party, cine: Party, exchange_agreement: str) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 100)
    order = fuel.post("/v1/exchanges", {"agreement": exchange_agreement, "member": member, "points": 10})["order"]
    site.finish(order, OrderState.REJECTED, "LimitExceeded")
    cine.refused("/v1/members", {"external_id": "claimed-3", "member": member}, "unknown_member", 404)


# -------------------------------------------------------------------- the SDK


def test_the_sdk_cares_for_members(site: Site, fuel: Party) -> None:
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        before = datetime.now(UTC) - timedelta(days=1)
        member = client.members.create(external_id="sdk/1")
        assert client.members.add_external_id(member, "sdk/2").external_ids == ("sdk/1", "sdk/2")
        assert client.members.retire_external_id(member, "sdk/1").external_id == "sdk/2"
        with pytest.raises(UnprocessableError):
            client.members.retire_external_id(member, "sdk/2")
        with pytest.raises(ConflictError) as refused:
            client.members.create(external_id="sdk/1")
        assert refused.value.code == "external_id_retired"
        assert client.members.create(external_id="sdk/1", reissue=True).id != member.id
        frozen = client.members.freeze(member, reason="test")
        assert (frozen.state, frozen.freezes[0].reason) == ("frozen", "test")
        assert list(client.members.list(prefix="sdk/", state="frozen", created_from=before)) == [frozen]
        assert client.members.unfreeze(member).state == "active"
        with pytest.raises(NotFoundError):
            client.members.create(external_id="sdk/3", member="mem_" + "0" * 26)
        with pytest.raises(ValueError, match="time zone"):
            client.members.list(created_from=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_async_sdk_cares_for_members(site: Site, fuel: Party) -> None:
    async def run() -> None:
        async with AsyncClient(str(site.http.base_url), site.keys[fuel.id]) as client:
            member = await client.members.create(external_id="async/1")
            assert (await client.members.add_external_id(member, "async/2")).external_id == "async/1"
            assert (await client.members.freeze(member, reason="test")).state == "frozen"
            assert [found.id async for found in client.members.list(external_id="async/2")] == [member.id]
            assert (await client.members.unfreeze(member)).state == "active"

    asyncio.run(run())
