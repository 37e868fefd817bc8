"""The registry of kinds: what follows from its line for each."""

from __future__ import annotations

from typing import Any

import pytest

import tongdui
from tests.sdk.stand_in import StandIn
from tongdui import AsyncClient, Client, Exchange, InstructionRequest, Issue, Redeem, Reverse, Spend, Transfer
from tongdui._kinds import KINDS
from tongdui.orders import Kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_a_kind_has_its_place_everywhere(kind: type[InstructionRequest]) -> None:
    assert kind.label == kind.kind.label
    assert getattr(tongdui, kind.__name__) is kind
    for client in (Client, AsyncClient):
        assert getattr(client, kind.collection).request is kind


def test_a_movement_is_called_by_its_kinds_noun(client: Client, gateway: StandIn) -> None:
    account: dict[str, Any] = {"program": "FUEL", "member": "mem_FC-1001"}
    instructions: list[InstructionRequest] = [
        Issue(**account, points=3),
        Redeem(**account, points=2),
        Exchange(agreement="agr_1", member="mem_FC-1001", points=10),
    ]
    gateway.member("FC-2002")
    taken = gateway.acceptance("FUEL", gateway.merchant("wash", "0x" + "33" * 20))["id"]
    sale = client.issuances.create(**account, points=7)
    instructions += [
        Spend(agreement=taken, member="mem_FC-1001", points=5),
        Transfer(**account, recipient="mem_FC-2002", points=4),
        Reverse(movement=sale, points=1),
    ]
    movements = client.orders.create(instructions).movements
    assert [movement.object for movement in movements] == [instruction.noun for instruction in instructions]
    assert {type(instruction) for instruction in instructions} == set(KINDS)


def test_no_two_kinds_share_a_name() -> None:
    for names in ([kind.kind for kind in KINDS], [kind.noun for kind in KINDS], [kind.collection for kind in KINDS]):
        assert len(set(names)) == len(KINDS)
    assert {kind.kind for kind in KINDS} <= set(Kind)


def test_each_client_has_its_own_variant_of_a_resource() -> None:
    with Client("http://gateway") as client:
        assert client.issuances is client.issuances
        assert type(client.issuances) is Client.issuances is not AsyncClient.issuances


@pytest.mark.parametrize("instruction", [{"kind": "issue", "points": 1}, "issue", None])
def test_an_order_takes_instructions_only(client: Client, gateway: StandIn, instruction: Any) -> None:
    good = Issue(program="FUEL", member="external:FC-1001", points=1)
    with pytest.raises(TypeError, match=r"instruction 1 is a .*; an order takes Issue, Redeem, Exchange"):
        client.orders.create([good, instruction])
    assert gateway.calls == []


def test_help_shows_what_a_caller_gets() -> None:
    create, listed = Client.issuances.create, Client.merchants.list
    assert create.__annotations__["return"] == "Movement"
    assert listed.__annotations__["return"] == "Pages[Merchant]"
    assert "Args:" in (create.__doc__ or "")


def test_every_kind_sends_metadata_beside_what_it_signs(client: Client, gateway: StandIn) -> None:
    own: dict[str, Any] = {"program": "FUEL", "member": "mem_FC-1001", "points": 5}
    gateway.member("FC-2002")
    taken = gateway.acceptance("FUEL", gateway.merchant("wash", "0x" + "33" * 20))["id"]
    sale = client.issuances.create(**own)
    instructions: list[InstructionRequest] = [
        Issue(**own, metadata={"n": 0}),
        Redeem(**own, metadata={"n": 1}),
        Exchange(agreement="agr_1", member="mem_FC-1001", points=10, metadata={"n": 2}),
        Spend(agreement=taken, member="mem_FC-1001", points=5, metadata={"n": 3}),
        Transfer(**own, recipient="mem_FC-2002", metadata={"n": 4}),
        Reverse(movement=sale, points=1, metadata={"n": 5}),
    ]
    assert {type(instruction) for instruction in instructions} == set(KINDS)
    client.orders.create(instructions)
    sent = [item["metadata"] for item in gateway.calls[-1].body["instructions"]]
    assert sent == [{"n": n} for n in range(len(KINDS))]
    assert [instruction.body()["metadata"] for instruction in instructions] == sent, "and so it does without a signer"


@pytest.mark.parametrize("kind", ["redeem", "exchange", "spend"])
def test_a_capture_sends_metadata(client: Client, gateway: StandIn, kind: str) -> None:
    acceptor = gateway.merchant("wash", "0x" + "33" * 20)
    gateway.acceptance("FUEL", acceptor)
    terms: dict[str, Any] = {"exchange": {"target_program": "CINE"}, "spend": {"target_merchant": acceptor}}.get(
        kind, {}
    )
    hold = client.holds.create(program="FUEL", member="mem_FC-1001", points=10)
    client.holds.capture(hold, **terms, metadata={"pump": 3})
    sent = gateway.calls[-1].body
    assert (sent["kind"], sent["metadata"]) == (kind, {"pump": 3})
