"""Erasure: afterwards nothing in the database leads from a person to the chain's pseudonym, and the chain's data stay."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import inspect, text

from clearing.ordering.merges.rounds import MergeRound
from clearing.ordering.orders.models import OrderState
from clearing.parties.members.models import Member
from tests.gateway.site import Party, Site
from tongdui import Client, ConflictError, NotFoundError

PLATE = "京A-12345"
CARD = 'card/"7"-王'
"""An external id that every way of writing JSON writes differently."""


def rows(site: Site) -> list[tuple[str, str]]:
    """(table, row) of everything in the database."""
    found = []
    with site.database.engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                values = [bytes(v).hex() if isinstance(v, (bytes, memoryview)) else str(v) for v in row]
                found.append((table, " ".join(values)))
    return found


def tables_with(site: Site, *names: str) -> set[str]:
    return {table for table, row in rows(site) if any(name in row for name in names)}


def written(name: str) -> tuple[str, ...]:
    """A name as different tables may write it."""
    return name, name.replace('"', '\\"'), 'card/\\"7\\"-\\u738b'


@pytest.fixture
def site(fresh_site: Site) -> Site:
    return fresh_site


@pytest.fixture
def fuel(site: Site) -> Party:
    return site.merchant("Gas", program="FUEL")


@pytest.fixture
def cine(site: Site) -> Party:
    return site.merchant("Cinema", program="CINE")


def known(site: Site, fuel: Party) -> tuple[str, str, bytes]:
    """A member with a history: its id, its address and its secret."""
    member = fuel.post("/v1/members", {"external_id": CARD})
    fuel.post(f"/v1/members/{member['id']}/external_ids", {"external_id": f"{CARD}-2"})
    fuel.post(f"/v1/members/{member['id']}/external_ids", {"external_id": f"{CARD}-lost"})
    lost = f"/v1/members/{member['id']}/external_ids/{'card%2F%227%22-%E7%8E%8B-lost'}"
    assert site.call("DELETE", lost, caller=fuel.id).status_code == 200
    beside = {"card": CARD, "plate": PLATE}
    issued = fuel.post(
        "/v1/issuances", {"program": "FUEL", "member": f"external:{CARD}", "points": 100, "metadata": beside}
    )
    site.finish(issued["order"], OrderState.SETTLED)
    fuel.post(f"/v1/members/{member['id']}/link_codes", {})
    fuel.post(f"/v1/members/{member['id']}/codes", {"points": 5})
    fuel.post(f"/v1/members/{member['id']}/freeze", {"reason": "a test"})
    fuel.post(f"/v1/members/{member['id']}/unfreeze", {})
    fuel.refused(
        "/v1/redemptions", {"program": "FUEL", "member": f"external:{CARD}?", "points": 1}, "unknown_member", 404
    )
    with site.database.session() as session:
        secret = session.get_one(Member, member["id"]).secret
    return member["id"], member["address"], secret


def test_nothing_leads_to_an_erased_member(site: Site, fuel: Party) -> None:
    member, address, secret = known(site, fuel)
    assert tables_with(site, secret.hex()) == {"members"}
    assert {"member_links", "retired_links", "idempotency_records"} <= tables_with(site, *written(CARD))
    assert tables_with(site, PLATE) == {"movement_metadata"}
    erased = fuel.post(f"/v1/members/{member}/erase", {}, key="erase-once")
    assert erased == {"member": member, "complete": True, "forfeited": []}
    assert fuel.post(f"/v1/members/{member}/erase", {}, key="erase-once") == erased

    assert tables_with(site, secret.hex()) == set()
    assert tables_with(site, PLATE, *written(CARD)) == set()
    both = [row for row in rows(site) if member in row[1] and address in row[1]]
    assert both == [], "an id and an address that stand together would lead to the pseudonym"
    assert tables_with(site, address) <= {"accounts", "entries", "instructions"}, "the chain's data stay"
    assert site.call("GET", f"/v1/members/{member}", caller=fuel.id).status_code == 404
    assert site.call("GET", f"/v1/members/{member}", caller="auditor").status_code == 404
    assert tables_with(site, member) == {"events", "idempotency_records"}, "that it was erased"
    about = fuel.get(f"/v1/events?subject={member}")["data"]
    assert {event["type"] for event in about} >= {"member.registered", "member.code_created", "member.erased"}
    assert [event["data"] for event in about if event["data"]] == [{"member": member}]
    (event,) = fuel.get("/v1/events?type=member.erased")["data"]
    assert (event["subject"], event["data"]) == (member, {"member": member})
    (issuance,) = fuel.get("/v1/issuances")["data"]
    assert (issuance["member"], issuance["points"]) == (None, 100)


def test_a_customer_with_points_is_asked_twice(site: Site, fuel: Party) -> None:
    member = fuel.member("rich")
    site.give(member, "FUEL", 30)
    problem = fuel.refused(f"/v1/members/{member}/erase", {}, "points_left", 409)
    assert "30 FUEL" in problem["detail"]
    assert problem["errors"][0]["pointer"] == "/forfeit_points"
    erased = fuel.post(f"/v1/members/{member}/erase", {"forfeit_points": True})
    assert erased["forfeited"] == [{"program": "FUEL", "points": 30}]
    again = fuel.post("/v1/members", {"external_id": "rich"})
    assert again["id"] != member
    assert fuel.get(f"/v1/members/{again['id']}/accounts")["data"] == []


def test_nothing_may_be_under_way(site: Site, fuel: Party) -> None:
    member = fuel.member()
    site.give(member, "FUEL", 30)
    path, body = f"/v1/members/{member}/erase", {"forfeit_points": True}
    held = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 10})["id"]
    fuel.refused(path, body, "holds_open", 409)
    fuel.post(f"/v1/holds/{held}/release", {})
    order = fuel.post("/v1/redemptions", {"program": "FUEL", "member": member, "points": 10})["order"]
    fuel.refused(path, body, "orders_pending", 409)
    site.finish(order, OrderState.SETTLED)
    fuel.post(path, body)
    (hold,) = fuel.get("/v1/holds")["data"]
    assert hold["member"] is None


def test_one_merchant_forgets_and_the_other_does_not(site: Site, fuel: Party, cine: Party) -> None:
    member = fuel.post("/v1/members", {"external_id": CARD})
    code = fuel.post(f"/v1/members/{member['id']}/link_codes", {})["code"]
    cine.post("/v1/members", {"external_id": "theirs", "link_code": code})
    namesake = cine.post("/v1/members", {"external_id": CARD}, key="namesake")
    site.give(member["id"], "FUEL", 30)
    erased = fuel.post(f"/v1/members/{member['id']}/erase", {})
    assert erased == {"member": member["id"], "complete": False, "forfeited": []}
    assert site.call("GET", f"/v1/members/{member['id']}", caller=fuel.id).status_code == 404
    assert cine.get(f"/v1/members/{member['id']}")["external_id"] == "theirs"
    again = cine.post("/v1/members", {"external_id": CARD}, key="namesake")
    assert again == namesake, "another merchant's member with the same number is another one"
    last = cine.post(f"/v1/members/{member['id']}/erase", {"forfeit_points": True})
    assert (last["complete"], last["forfeited"]) == (True, []), "what it does not deal with it does not see"


def test_the_operator_erases_for_all(site: Site, fuel: Party, cine: Party) -> None:
    member = fuel.member("everywhere")
    code = fuel.post(f"/v1/members/{member}/link_codes", {})["code"]
    cine.post("/v1/members", {"external_id": "everywhere too", "link_code": code})
    erased = site.post(f"/v1/members/{member}/erase", {})
    assert erased["complete"]
    assert tables_with(site, "everywhere") == set()
    for party in (fuel, cine):
        assert len(party.get("/v1/events?type=member.erased")["data"]) == 1


def test_merged_members_are_erased_together(site: Site, fuel: Party) -> None:
    old, new = fuel.member("first"), fuel.member("second")
    site.give(old, "FUEL", 5)
    merge = fuel.post("/v1/merges", {"member": old, "into": new})["id"]
    fuel.post(f"/v1/merges/{merge}/confirm", {})
    fuel.refused(f"/v1/members/{new}/erase", {}, "points_left", 409)
    fuel.post(f"/v1/members/{old}/erase", {"forfeit_points": True})
    assert tables_with(site, old, new) <= {"events", "idempotency_records"}
    with site.database.session() as session:
        assert session.get(Member, old) is None
        assert session.get(Member, new) is None
    shown: Any = fuel.get(f"/v1/merges/{merge}")
    assert (shown["state"], shown["accounts"], shown["member_address"]) == ("cancelled", [], None)
    MergeRound(site.database, site.settings, site.app.state.gateway.keyrings.managed_keys).run()


def test_the_sdk_erases(site: Site, fuel: Party) -> None:
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        member = client.members.create(external_id="sdk")
        site.give(member.id, "FUEL", 1)
        with pytest.raises(ConflictError) as refused:
            client.members.erase(member)
        assert refused.value.code == "points_left"
        erased = client.members.erase(member, forfeit_points=True)
        assert (erased.complete, erased.forfeited[0].points) == (True, 1)
        with pytest.raises(NotFoundError):
            client.members.get(member.id)
