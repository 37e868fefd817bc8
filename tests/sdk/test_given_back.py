"""Spend, transfer and reverse, as a client that signs sees them: what it signs, and what it does not believe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tongdui
from tests.sdk.stand_in import CONTRACT, Call, StandIn
from tongdui import Client, LocalSigner, Movement, Reverse, Spend, Transfer
from tongdui.encoding import address_word, bytes_of
from tongdui.orders import Instruction, Kind

MEMBER = "mem_FC-1001"


@pytest.fixture
def wash(gateway: StandIn, station: LocalSigner) -> Iterator[Client]:
    """A car wash that takes FUEL, and signs for itself. It does not know the members."""
    signer = LocalSigner("0x" + "33" * 32)
    gateway.acceptance("FUEL", gateway.merchant("wash", signer.address))
    gateway.codes["AAAA-BBBB"] = MEMBER
    with Client(gateway.url, "tdk_wash_secret", signer=signer) as opened:
        yield opened


def signed(gateway: StandIn) -> Instruction:
    return gateway.wires[-1].instructions[0]


def test_the_wash_finds_its_agreement_and_signs_for_the_member_whose_code_it_was_shown(
    wash: Client, gateway: StandIn
) -> None:
    spend = wash.spends.create(program="FUEL", member_code="AAAA-BBBB", points=30, reference="wash 1")
    instruction = signed(gateway)
    assert (instruction.kind, instruction.points, instruction.program, instruction.agreement) == (Kind.SPEND, 30, 1, 2)
    assert instruction.member == gateway.members[MEMBER]["address"]
    body = gateway.calls[-1].body
    assert (body["agreement"], body["member_code"]) == ("agr_2", "AAAA-BBBB")
    assert "member" not in body
    wash.entries.receipt(spend).verify(rpc_url=f"{gateway.url}/rpc", contract=CONTRACT)


def test_the_issuer_names_who_takes_the_points(client: Client, wash: Client, gateway: StandIn) -> None:
    client.spends.create(program="FUEL", target_merchant="mer_wash", member=MEMBER, points=10)
    assert (signed(gateway).agreement, gateway.calls[-1].body["agreement"]) == (2, "agr_2")
    with pytest.raises(tongdui.SigningError, match="no active agreement from FUEL to mer_cinema"):
        client.spends.create(program="FUEL", target_merchant="mer_cinema", member=MEMBER, points=10)


def test_an_agreement_of_the_other_kind_is_not_signed(client: Client, wash: Client, gateway: StandIn) -> None:
    with pytest.raises(tongdui.SigningError, match="not an acceptance agreement"):
        client.spends.create(agreement="agr_1", member=MEMBER, points=10)
    with pytest.raises(tongdui.SigningError, match="not an exchange agreement"):
        client.exchanges.create(agreement="agr_2", member=MEMBER, points=10)
    assert gateway.wires == []


def test_a_hold_by_code_becomes_what_its_agreement_says(wash: Client, gateway: StandIn) -> None:
    hold = wash.holds.create(agreement="agr_2", member_code="AAAA-BBBB", points=40)
    assert (hold.agreement, hold.member_address) == ("agr_2", gateway.members[MEMBER]["address"])
    movement = wash.holds.capture(hold, points=25)
    assert movement.object == "spend"
    instruction = signed(gateway)
    assert (instruction.kind, instruction.points, instruction.agreement) == (Kind.SPEND, 25, 2)
    assert {"member", "program", "member_code"}.isdisjoint(gateway.calls[-1].body)
    assert not [call for call in gateway.calls if call.path.startswith("/v1/members/")], (
        "the wash need not know the member"
    )


def test_a_transfer_signs_the_recipients_address(client: Client, gateway: StandIn) -> None:
    child = gateway.member("FC-2002")
    client.transfers.create(program="FUEL", member=MEMBER, recipient="external:FC-2002", points=12)
    instruction = signed(gateway)
    assert (instruction.kind, instruction.points) == (Kind.TRANSFER, 12)
    assert instruction.link == address_word(child["address"])


def sale_of(client: Client, **fields: Any) -> Movement:
    return client.issuances.create(program="FUEL", member=MEMBER, points=50, **fields)


def test_a_reversal_signs_the_leaf_that_its_receipt_proves(client: Client, gateway: StandIn) -> None:
    sale = sale_of(client, reference="sale 5")
    for what in ({"movement": sale}, {"movement": sale.id}, {"original_reference": "sale 5"}):
        client.reversals.create(**what, points=20)
        instruction = signed(gateway)
        assert (instruction.kind, instruction.points, instruction.program) == (Kind.REVERSE, 20, 1)
        assert instruction.link == bytes_of(sale.settled().leaf)
        assert gateway.calls[-1].body["movement"] == sale.id
    client.reversals.create(sale)
    assert signed(gateway).points == 50, "all that is left"


@pytest.mark.parametrize(
    ("lie", "check"),
    [
        (lambda receipt: receipt["entry"].update(points=500), "entry.points"),
        (lambda receipt: receipt["entry"].update(member="0x" + "66" * 20), "leaf"),
        (lambda receipt: receipt.update(leaf="0x" + "66" * 32), "leaf"),
        (lambda receipt: receipt.update(root="0x" + "66" * 32), "proof"),
    ],
)
def test_an_original_that_is_not_proven_is_not_reversed(client: Client, gateway: StandIn, lie: Any, check: str) -> None:
    sale = sale_of(client)

    def lying(call: Call) -> tuple[int, Any] | None:
        if not call.path.endswith("/receipt"):
            return None
        status, receipt = gateway.route(call)
        lie(receipt)
        return status, receipt

    gateway.faults.append(lying)
    before = len(gateway.wires)
    with pytest.raises(tongdui.VerificationError) as refusal:
        client.reversals.create(sale.id)
    assert refusal.value.check == check
    assert len(gateway.wires) == before


def test_a_root_that_the_chain_does_not_have_is_not_believed(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "k", signer=station, rpc_url=f"{gateway.url}/rpc") as careful:
        sale = sale_of(careful)
        gateway.chain["root"] = bytes(32)
        with pytest.raises(tongdui.VerificationError) as refusal:
            careful.reversals.create(sale)
        assert refusal.value.check == "root"


def test_without_a_signer_the_gateway_finds_everything(gateway: StandIn, station: LocalSigner) -> None:
    with Client(gateway.url, "k") as client:
        gateway.faults.append(lambda call: (201, {**MOVEMENT}) if call.path == "/v1/reversals" else None)
        client.reversals.create(original_reference="sale 5", original_kind="issue", reference="return 5")
    assert [call.path for call in gateway.calls] == ["/v1/reversals"]
    assert gateway.calls[-1].body == {
        "original_reference": "sale 5",
        "original_kind": "issue",
        "reference": "return 5",
    }


MOVEMENT = {
    "id": "rev_1",
    "object": "reversal",
    "order": "ord_1",
    "state": "accepted",
    "merchant": "mer_station",
    "program": "FUEL",
    "points": 5,
}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Transfer(program="FUEL", member=MEMBER, recipient=MEMBER, points=5),
        lambda: Spend(points=5, program="FUEL"),
        lambda: Spend(points=5, program="FUEL", member=MEMBER, member_code="x"),
        lambda: Spend(points=5, member=MEMBER),
        lambda: Spend(points=0, program="FUEL", member=MEMBER),
        Reverse,
        lambda: Reverse(movement="iss_1", original_reference="x"),
        lambda: Reverse(original_reference="x", original_kind="reverse"),
        lambda: Reverse(movement="iss_1", points=0),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_sent(make: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()
