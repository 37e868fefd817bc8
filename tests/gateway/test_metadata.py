"""Metadata: what a merchant keeps beside a movement. Exact, its own only, never signed, gone with the member."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from clearing.kit.fields import LARGEST_METADATA
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.models import Instruction, MovementMetadata, OrderState
from gateway.api.movements.bodies import CREATE_BODIES, ORDER_ITEMS
from tests.gateway.site import Party, Site, agree
from tongdui import Client, Issue, Redeem, Reverse

TILL: dict[str, Any] = {
    "till": {"v": 1, "amount": "262.26", "lines": [["95#", "fuel", "32.10"]], "none": None, "list": []},
    "large": 2**80,
    "float": 0.1,
    "zero": -0.0,
    "text": "合计\n😀",
    "": True,
}


def issue(member: str, **fields: Any) -> dict[str, Any]:
    return {"program": "FUEL", "member": member, "points": 10, **fields}


def stored(site: Site, movement: str) -> str | None:
    """What the database keeps beside a movement."""
    with site.database.session() as session:
        query = select(MovementMetadata.content).join(
            Instruction,
            (Instruction.order_seq == MovementMetadata.order_seq) & (Instruction.item == MovementMetadata.item),
        )
        return session.scalar(query.where(Instruction.id == movement))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_every_kind_takes_metadata(kind: Any) -> None:
    for body in (CREATE_BODIES[kind.label], ORDER_ITEMS[kind.label]):
        assert "metadata" in body.model_fields


def test_metadata_comes_back_exactly_as_it_was_sent(site: Site, fuel: Party, member: str) -> None:
    made = fuel.post("/v1/issuances", issue(member, reference="exact", metadata=TILL))
    listed = fuel.get("/v1/issuances?reference=exact")["data"][0]
    (looked_up,) = fuel.post("/v1/movements/lookup", {"kind": "issue", "references": ["exact"]})["data"]
    whole = fuel.get(f"/v1/orders/{made['order']}")["movements"][0]
    for shown in (made, listed, looked_up, whole, fuel.get(f"/v1/movements/{made['id']}")):
        assert json.dumps(shown["metadata"]) == json.dumps(TILL)
    assert stored(site, made["id"]) == json.dumps(TILL, ensure_ascii=False, separators=(",", ":"))


def test_each_movement_of_an_order_has_its_own(fuel: Party, member: str) -> None:
    items = [
        {"kind": "issue", **issue(member, metadata={"n": 0})},
        {"kind": "redeem", **issue(member)},
        {"kind": "issue", **issue(member, metadata={})},
    ]
    order = fuel.post("/v1/orders", {"instructions": items})
    assert [movement["metadata"] for movement in order["movements"]] == [{"n": 0}, None, {}]


def test_only_the_signer_sees_it(site: Site, fuel: Party, cine: Party, member: str) -> None:
    agree(fuel, cine)
    body = {"source_program": "FUEL", "target_program": "CINE", "member": member, "points": 10}
    made = fuel.post("/v1/exchanges", {**body, "metadata": {"secret": "discount"}})
    site.finish(made["order"], OrderState.SETTLED)
    path = f"/v1/exchanges/{made['id']}"
    assert fuel.get(path)["metadata"] == {"secret": "discount"}
    for other in (cine.id, "operator", "auditor"):
        assert site.get(path, caller=other)["metadata"] is None, other
    for reader in (fuel.id, cine.id, "operator"):
        assert "discount" not in str(site.get("/v1/events?limit=200", caller=reader)), reader


def test_the_metadata_belong_to_the_idempotency_key(fuel: Party, member: str) -> None:
    body = issue(member, metadata={"n": 1})
    made = fuel.post("/v1/issuances", body, key="metadata-once")
    assert fuel.post("/v1/issuances", body, key="metadata-once") == made
    other = issue(member, metadata={"n": 2})
    fuel.refused("/v1/issuances", other, "idempotency_key_reused", key="metadata-once")


def test_a_captured_hold_carries_metadata(site: Site, fuel: Party, member: str) -> None:
    hold = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 10})["id"]
    body = {"kind": "redeem", "points": 4, "metadata": {"pump": None, "litres": "3.20"}}
    captured = fuel.post(f"/v1/holds/{hold}/capture", body)
    assert captured["metadata"] == {"pump": None, "litres": "3.20"}


def test_a_dry_run_checks_metadata_and_keeps_none(site: Site, fuel: Party, member: str) -> None:
    def kept() -> int:
        with site.database.session() as session:
            return session.scalar(select(func.count()).select_from(MovementMetadata)) or 0

    before = kept()
    tried = fuel.post("/v1/issuances?dry_run=true", issue(member, metadata={"n": 1}))
    assert tried["result"]["metadata"] == {"n": 1}
    fuel.refused("/v1/issuances?dry_run=true", issue(member, metadata=[1]), "validation_failed")
    assert kept() == before


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ([1], "a JSON object"),
        ("text", "a JSON object"),
        ({"a": "x" * (LARGEST_METADATA - 7)}, f"has {LARGEST_METADATA + 1} bytes"),
        ({"a": "油" * 2_731}, f"at most {LARGEST_METADATA}"),
        ({"a": nested(32)}, "levels"),
        ({"a": ["b\0"]}, "NUL"),
        ({"a\0": 1}, "NUL"),
        ({"a": {"\ud800": 1}}, "surrogate"),
        ({"a": float("nan")}, "number"),
        ({"a": float("inf")}, "number"),
    ],
)
def test_wrong_metadata_are_refused_with_their_place(fuel: Party, member: str, metadata: Any, says: str) -> None:
    problem = fuel.refused("/v1/issuances", issue(member, metadata=metadata), "validation_failed")
    (error,) = problem["errors"]
    assert error["pointer"] == "/metadata"
    assert says in error["detail"]
    item = {"kind": "issue", **issue(member, metadata=metadata)}
    problem = fuel.refused("/v1/orders", {"instructions": [item]}, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/instructions/0/metadata"]


def test_the_largest_and_deepest_metadata_are_kept(fuel: Party, member: str) -> None:
    for metadata in ({"a": "x" * (LARGEST_METADATA - 8)}, {"a": nested(31)}):
        assert fuel.post("/v1/issuances", issue(member, metadata=metadata))["metadata"] == metadata


def test_who_keeps_no_metadata_pays_nothing_for_it(site: Site, fuel: Party, member: str) -> None:
    def about_metadata(path: str, body: Any = None) -> int:
        with site.statements() as seen:
            answer = site.call("GET" if body is None else "POST", path, body, caller=fuel.id)
        assert answer.is_success
        assert len(seen) > 1
        return sum("movement_metadata" in statement for statement, _ in seen)

    alone = fuel.member()
    assert about_metadata("/v1/issuances", issue(alone)) == 0
    assert about_metadata(f"/v1/issuances?member={alone}") == 0
    for _ in range(3):
        fuel.post("/v1/issuances", issue(alone, metadata={"n": 1}))
    assert about_metadata(f"/v1/issuances?member={alone}") == 1, "one statement for the page"


# -------------------------------------------------------------------- erasure


def test_the_metadata_go_with_the_member(site: Site, fuel: Party, cine: Party) -> None:
    member, other = fuel.member(), fuel.member()
    site.give(other, "FUEL", 10)
    mine = fuel.post("/v1/issuances", issue(member, metadata={"plate": "京A 12345"}))
    gift = {"program": "FUEL", "member": other, "recipient": member, "points": 5, "metadata": {"from": "uncle"}}
    given = fuel.post("/v1/transfers", gift)
    kept = fuel.post("/v1/issuances", issue(other, metadata={"keep": 1}))
    for order in (mine["order"], given["order"], kept["order"]):
        site.finish(order, OrderState.SETTLED)
    fuel.post(f"/v1/members/{member}/erase", {"forfeit_points": True})
    assert (stored(site, mine["id"]), stored(site, given["id"])) == (None, None)
    assert fuel.get(f"/v1/issuances/{mine['id']}")["metadata"] is None
    assert fuel.get(f"/v1/issuances/{kept['id']}")["metadata"] == {"keep": 1}


def test_one_merchant_forgets_its_own_metadata_only(site: Site, fuel: Party, cine: Party) -> None:
    member = fuel.member()
    code = fuel.post(f"/v1/members/{member}/link_codes", {})["code"]
    cine.post("/v1/members", {"external_id": f"theirs-{member}", "link_code": code})
    mine = fuel.post("/v1/issuances", issue(member, metadata={"of": "fuel"}))
    theirs = cine.post("/v1/issuances", {"program": "CINE", "member": member, "points": 1, "metadata": {"of": "cine"}})
    for made in (mine, theirs):
        site.finish(made["order"], OrderState.SETTLED)
    assert fuel.post(f"/v1/members/{member}/erase", {})["complete"] is False
    assert stored(site, mine["id"]) is None
    assert cine.get(f"/v1/issuances/{theirs['id']}")["metadata"] == {"of": "cine"}


# -------------------------------------------------------------------- the SDK


def test_the_sdk_sends_and_shows_metadata(site: Site, fuel: Party, member: str) -> None:
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        made = client.issuances.create(program="FUEL", member=member, points=10, metadata=TILL)
        assert made.metadata == TILL
        order = client.orders.create(
            [
                Issue(program="FUEL", member=member, points=1, metadata={"n": 1}),
                Redeem(program="FUEL", member=member, points=1, metadata={"n": 2}),
            ]
        )
        assert [movement.metadata for movement in order.movements] == [{"n": 1}, {"n": 2}]
        hold = client.holds.create(program="FUEL", member=member, points=5)
        assert client.holds.capture(hold, metadata={"pump": 3}).metadata == {"pump": 3}
        site.finish(made.order, OrderState.SETTLED)
        undone = client.reversals.create(client.issuances.get(made.id), points=1, metadata={"why": "returned"})
        assert undone.metadata == {"why": "returned"}
        assert len({made, undone}) == 2
        assert hash(Reverse(movement="iss_1", metadata={"a": 1})) == hash(Reverse(movement="iss_1", metadata={"a": 1}))
