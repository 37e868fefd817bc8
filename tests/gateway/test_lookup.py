"""Finding movements: one's own by many document numbers at once, and the reversals of one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from clearing.ordering.orders.models import OrderState
from tests.gateway.site import Party, Site, agree
from tongdui import AsyncClient, Client

PATH = "/v1/movements/lookup"


def issue(fuel: Party, member: str, *references: str) -> Any:
    items = [
        {"kind": "issue", "program": "FUEL", "member": member, "points": 10, "reference": reference}
        for reference in references
    ]
    return fuel.post("/v1/orders", {"instructions": items})


def found(fuel: Party, kind: str, *references: str) -> list[str]:
    return [movement["reference"] for movement in fuel.post(PATH, {"kind": kind, "references": references})["data"]]


def test_movements_are_found_in_the_order_of_their_references(fuel: Party, member: str) -> None:
    issue(fuel, member, "l-1", "l-2", "l-3")
    assert found(fuel, "issue", "l-3", "l-unknown", "l-1", "l-3") == ["l-3", "l-1"], "each once, what is missing not"
    assert found(fuel, "redeem", "l-1") == [], "of another kind"


def test_what_was_refused_does_not_stand(site: Site, fuel: Party, member: str) -> None:
    order = issue(fuel, member, "refused-1")["id"]
    assert found(fuel, "issue", "refused-1") == ["refused-1"], "while it is pending, it stands"
    site.finish(order, OrderState.REJECTED, "program_paused")
    assert found(fuel, "issue", "refused-1") == []
    settled = issue(fuel, member, "refused-1")["id"]
    site.finish(settled, OrderState.SETTLED)
    (movement,) = fuel.post(PATH, {"kind": "issue", "references": ["refused-1"]})["data"]
    assert (movement["state"], movement["order"], movement["reversible_points"]) == ("settled", settled, 10)
    assert movement == fuel.get(f"/v1/issuances/{movement['id']}")


def test_a_lookup_finds_the_callers_own_only(site: Site, fuel: Party, cine: Party, member: str) -> None:
    agree(fuel, cine)
    body = {"source_program": "FUEL", "target_program": "CINE", "member": member, "points": 10, "reference": "own-1"}
    made = fuel.post("/v1/exchanges", body)
    site.finish(made["order"], OrderState.SETTLED)
    assert found(fuel, "exchange", "own-1") == ["own-1"]
    assert found(cine, "exchange", "own-1") == [], "the other side sees the movement, and not its reference"


def test_a_key_that_reads_is_enough_and_no_idempotency_key_is_needed(site: Site, fuel: Party, member: str) -> None:
    issue(fuel, member, "read-1")
    headers = {"Authorization": f"Bearer {fuel.key('read')}"}
    answer = site.http.post(PATH, json={"kind": "issue", "references": ["read-1"]}, headers=headers)
    assert answer.status_code == 200
    assert "Idempotent-Replayed" not in answer.headers
    answer = site.http.post(
        PATH, content=b"kind=issue", headers={**headers, "Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    expanded = site.http.post(
        f"{PATH}?expand[]=program", json={"kind": "issue", "references": ["read-1"]}, headers=headers
    )
    assert expanded.json()["data"][0]["expanded"]["program"]["code"] == "FUEL"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "gift", "references": ["a"]}, "/kind"),
        ({"kind": "issue", "references": []}, "/references"),
        ({"kind": "issue", "references": ["a"] * 501}, "/references"),
        ({"kind": "issue", "references": ["a", " b"]}, "/references/1"),
        ({"kind": "issue", "references": ["a" * 141]}, "/references/0"),
        ({"kind": "issue", "reference": ["a"]}, "/references"),
    ],
)
def test_a_wrong_lookup_names_the_field(fuel: Party, body: Any, pointer: str) -> None:
    problem = fuel.refused(PATH, body, "validation_failed")
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_the_reversals_of_a_movement_are_found(site: Site, fuel: Party, member: str) -> None:
    order = issue(fuel, member, "undone-1", "undone-2")["id"]
    site.finish(order, OrderState.SETTLED)
    first, second = (movement["id"] for movement in fuel.get(f"/v1/orders/{order}")["movements"])
    site.give(member, "FUEL", 20)
    made = [fuel.post("/v1/reversals", {"movement": first, "points": points})["id"] for points in (3, 4)]
    fuel.post("/v1/reversals", {"movement": second, "points": 1})
    for collection in ("reversals", "movements"):
        listed = fuel.get(f"/v1/{collection}?original={first}")["data"]
        assert [movement["id"] for movement in listed] == made[::-1]
    assert fuel.get(f"/v1/reversals?original={made[0]}")["data"] == []
    answer = site.call("GET", "/v1/reversals?original=sale-1", caller=fuel.id)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "original")


def test_the_sdk_looks_up_any_number_of_references(site: Site, fuel: Party) -> None:
    member = fuel.member()
    references = [f"many-{n}" for n in range(700)]
    issue(fuel, member, *references[:500])
    issue(fuel, member, *references[500:])
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        movements = client.movements.lookup("issue", [*references[::-1], "many-none"])
        assert [movement.reference for movement in movements] == references[::-1]
        assert len({*movements}) == 700
        assert client.movements.lookup("issue", []) == []
        with pytest.raises(TypeError, match="a list of references"):
            client.movements.lookup("issue", "many-1")
        assert [*client.reversals.list(original=movements[0])] == []

    async def look() -> list[str | None]:
        async with AsyncClient(str(site.http.base_url), site.keys[fuel.id]) as client:
            return [movement.reference for movement in await client.movements.lookup("issue", references[:2])]

    assert asyncio.run(look()) == references[:2]


def test_a_lookup_uses_the_index_of_references(site: Site, fuel: Party) -> None:
    body = {"kind": "issue", "references": ["plan-1", "plan-2"]}
    with site.statements() as seen:
        fuel.post(PATH, body)
    (statement, parameters) = next((s, p) for s, p in seen if "instructions.live AND" in s)
    with site.database.engine.connect() as connection:
        if site.database.is_sqlite:
            explain = "EXPLAIN QUERY PLAN "
        else:
            connection.execute(text("SET enable_seqscan = off"))
            explain = "EXPLAIN "
        plan = connection.exec_driver_sql(explain + statement, parameters)
        assert "instructions_live_reference_unique" in str(plan.fetchall())


# --------------------------------------------------------------------------- members

MEMBERS = "/v1/members/lookup"


def known(party: Party, *names: str) -> list[str]:
    return [member["id"] for member in party.post(MEMBERS, {"members": names})["data"]]


def test_members_are_found_by_ids_and_numbers_in_their_order(fuel: Party) -> None:
    first, second = (fuel.post("/v1/members", {"external_id": f"many-{n}"})["id"] for n in (1, 2))
    assert known(fuel, "external:many-2", first, "external:unknown", second) == [second, first], "each once"
    (member,) = fuel.post(MEMBERS, {"members": ["external: many-1"]})["data"]
    assert member == fuel.get(f"/v1/members/{first}"), "in the same words, and by a number as people write it"
    old = fuel.post("/v1/members", {"external_id": "many-3"})["id"]
    merge = fuel.post("/v1/merges", {"member": old, "into": first})
    fuel.post(f"/v1/merges/{merge['id']}/confirm", {})
    assert known(fuel, old, first) == [first], "a merged member's id leads to the other"


def test_others_members_are_not_found(fuel: Party, cine: Party) -> None:
    member = fuel.post("/v1/members", {"external_id": "mine"})["id"]
    assert known(cine, member, "external:mine") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"members": []}, "/members"),
        ({"members": ["external:a"] * 501}, "/members"),
        ({"members": ["external:a", "a"]}, "/members/1"),
        ({"members": ["0x" + "11" * 20]}, "/members/0"),
        ({}, "/members"),
    ],
)
def test_a_wrong_lookup_of_members_names_the_field(fuel: Party, body: Any, pointer: str) -> None:
    problem = fuel.refused(MEMBERS, body, "validation_failed")
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_the_sdk_finds_members(site: Site, fuel: Party) -> None:
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        made = client.members.register([f"found-{n}" for n in range(600)])
        names = [member.id if n % 2 else f"external:found-{n}" for n, member in enumerate(made)]
        assert client.members.lookup([*names, "external:nobody"]) == made
        assert client.members.lookup([]) == []
        with pytest.raises(TypeError, match="takes a list of members"):
            client.members.lookup("external:found-0")
