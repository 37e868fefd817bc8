"""A member's own proof, made by a node that nobody believes and checked without one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from scripts.dev.services import Anvil
from tests.audit.planted.lying_node import lying_node
from tests.audit.small_network import MEMBER, found
from tests.contracts.twins import Twins
from tongdui.audit.chain.layout import balance_slot, program_slot
from tongdui.audit.chain.node import Node
from tongdui.audit.findings import CannotCheck
from tongdui.audit.member import BadProof, MemberProof, prove_member
from tongdui.encoding import hex_of, keccak256, word

NOBODY = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def twins(chain: Anvil) -> Iterator[Twins]:
    twins = found(chain.url)
    yield twins
    twins.chain.close()


@pytest.fixture(scope="module")
def proof(twins: Twins) -> MemberProof:
    return prove_member(twins.chain.node, twins.chain.address, MEMBER)


def test_points_and_the_sums_that_they_are_part_of(twins: Twins, proof: MemberProof) -> None:
    statement = MemberProof.from_json(proof.to_json()).verify()
    model = twins.model
    assert (statement.block, statement.chain_id, statement.programs) == (twins.chain.height(), 31_337, 6)
    header = twins.chain.rpc("eth_getBlockByNumber", "latest", False)
    assert (statement.block_hash, statement.time) == (header["hash"], int(header["timestamp"], 16))
    assert [held.program for held in statement.holdings] == [1, 2, 3, 4, 5, 6]
    for held in statement.holdings:
        program = model.programs[held.program]
        merchant = model.merchants[program.merchant]
        assert held.points == model.balances[MEMBER, held.program]
        assert (held.supply, held.minted) == (program.supply(), program.totals.created)
        assert held.supply == held.minted - held.burnt
        assert (held.merchant, held.position) == (program.merchant, merchant.position)
        assert (held.code, held.name) == (f"P{held.program}", f"Program {held.program}")
        assert held.status == "active"
    first = next(statement.sentences())
    assert f"has {model.balances[MEMBER, 1]:,} points of program 1 (P1, Program 1)" in first
    assert f"part of the {model.programs[1].supply():,} points that merchant 1 owes for" in first


def test_members_of_a_program_have_together_what_is_in_circulation(twins: Twins) -> None:
    members = {member for (member, _), _ in twins.model.balances.stored()}
    held = [
        holding.points
        for member in members
        for holding in prove_member(twins.chain.node, twins.chain.address, member).verify().holdings
        if holding.program == 1
    ]
    assert sum(held) == twins.model.programs[1].supply()


def test_nobody_has_no_points_and_that_is_proven(twins: Twins) -> None:
    statement = MemberProof.from_json(prove_member(twins.chain.node, twins.chain.address, NOBODY).to_json()).verify()
    assert statement.holdings == ()
    assert list(statement.sentences()) == [
        f"{NOBODY} has no points in any of the 6 programs after block {statement.block} of chain 31337."
    ]


def test_an_earlier_block_and_an_address_in_capitals(twins: Twins) -> None:
    proof = prove_member(twins.chain.node, twins.chain.address.upper().replace("0X", "0x"), MEMBER.upper()[2:], block=1)
    statement = proof.verify()
    assert (statement.block, statement.member, statement.programs, statement.holdings) == (1, MEMBER, 0, ())


# ---------------------------------------------------------------- tampered files


def change(proof: MemberProof, how: Callable[[Any], Any]) -> MemberProof:
    content = json.loads(proof.to_json())
    how(content)
    return MemberProof.from_json(json.dumps(content))


def slot_of(kind: str) -> str:
    return hex_of(
        word({"balance": balance_slot(MEMBER, 1), "program": program_slot(1), "merchant": 3, "counts": 0}[kind])
    )


def cut(slot: str) -> Callable[[Any], Any]:
    return lambda content: content["storage_proofs"].pop(slot)


def swap(one: str, other: str) -> Callable[[Any], Any]:
    """The nodes of another slot."""
    return lambda content: content["storage_proofs"].update({one: content["storage_proofs"][other]})


TAMPERED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "more points": (lambda c: c["statement"]["holdings"][0].update(points=10**6), "statement"),
    "a larger sum": (lambda c: c["statement"]["holdings"][0].update(supply=10**9), "statement"),
    "another merchant": (lambda c: c["statement"]["holdings"][0].update(merchant=9), "statement"),
    "a holding less": (lambda c: c["statement"]["holdings"].pop(), "statement"),
    "another member": (lambda c: c.update(member=NOBODY), "balance"),
    "another contract": (lambda c: c.update(contract=NOBODY), "account"),
    "another state": (lambda c: c["header"].update(stateRoot="0x" + "11" * 32), "header"),
    "another time": (lambda c: c["header"].update(timestamp="0x1"), "header"),
    "another hash": (lambda c: c["header"].update(hash="0x" + "11" * 32), "header"),
    "no header": (lambda c: c.update(header={}), "header"),
    "a header that makes no sense": (lambda c: c["header"].update(number="x"), "header"),
    "no account": (lambda c: c.update(account_proof=[]), "account"),
    "another code": (lambda c: c.update(code=c["code"][:-2] + "00"), "code"),
    "no code": (lambda c: c.update(code="0x"), "code"),
    "no balance": (cut(slot_of("balance")), "balance"),
    "the balance of another slot": (swap(slot_of("balance"), slot_of("program")), "balance"),
    "no program": (cut(slot_of("program")), "program"),
    "no merchant": (cut(slot_of("merchant")), "merchant"),
    "an altered leaf": (
        lambda c: c["storage_proofs"][slot_of("balance")].append(
            c["storage_proofs"][slot_of("balance")].pop()[:-2] + "ff"
        ),
        "balance",
    ),
    "another format": (lambda c: c.update(format="something else"), "format"),
    "no statement": (lambda c: c.pop("statement"), "format"),
    "an address that is none": (lambda c: c.update(member="0x12"), "format"),
    "nodes that are none": (lambda c: c.update(account_proof=["0xzz"]), "format"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_file_is_refused_by_the_name_of_the_check(proof: MemberProof, name: str) -> None:
    how, check = TAMPERED[name]
    with pytest.raises(BadProof) as refused:
        change(proof, how).verify()
    assert refused.value.check == check
    assert str(refused.value).startswith(f"{check}: ")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\0"])
def test_file_that_is_none(text: str) -> None:
    with pytest.raises(BadProof, match="no file with the proof of a member"):
        MemberProof.from_json(text)


def test_block_and_contract_that_the_reader_knows(proof: MemberProof) -> None:
    statement = proof.verify(proof.header["hash"].upper().replace("0X", "0x"), proof.contract)
    assert proof.verify(statement.block_hash) == statement
    with pytest.raises(BadProof, match=r"^block: it is about the block"):
        proof.verify("0x" + "11" * 32)
    with pytest.raises(BadProof, match=r"^contract: it is about the contract"):
        proof.verify(None, NOBODY)


# ---------------------------------------------------------------- nodes and addresses


def test_node_that_lies_is_caught(twins: Twins) -> None:
    before = twins.chain.rpc("eth_getBlockByNumber", hex(1), False)

    def lies(change: Callable[[str, Any, Any], Any], says: str) -> None:
        with (
            lying_node(twins.chain.node.url, lie=change) as lying,
            closing(Node(lying.url)) as node,
            pytest.raises(BadProof, match=says),
        ):
            prove_member(node, twins.chain.address, MEMBER)

    lies(lambda m, _, r: {**r, "stateRoot": before["stateRoot"]} if m == "eth_getBlockByNumber" else r, "^header: ")
    lies(lambda m, _, r: before if m == "eth_getBlockByNumber" else r, "^account: ")
    lies(lambda m, _, r: {**r, "accountProof": []} if m == "eth_getProof" else r, "^account: ")
    lies(lambda m, _, r: {**r, "storageProof": []} if m == "eth_getProof" else r, "^programs: ")
    lies(lambda m, _, r: None if m == "eth_getProof" else r, "^answer: ")


def test_other_contract_or_no_address(twins: Twins) -> None:
    with pytest.raises(CannotCheck, match="no published build"):
        prove_member(twins.chain.node, NOBODY, MEMBER)
    with pytest.raises(CannotCheck, match="'0x12' is not the address of a member"):
        prove_member(twins.chain.node, twins.chain.address, "0x12")


def test_code_that_was_made_for_another_address(twins: Twins, proof: MemberProof) -> None:
    """A copy of the true code elsewhere, with storage that somebody made up."""
    snapshot = twins.chain.rpc("evm_snapshot")
    twins.chain.rpc("anvil_setCode", NOBODY, hex_of(proof.code))
    twins.chain.rpc("evm_mine")
    with pytest.raises(BadProof, match=r"^code: the contract's code was made for another address"):
        prove_member(twins.chain.node, NOBODY, MEMBER)
    assert twins.chain.rpc("evm_revert", snapshot)
    assert keccak256(proof.code)
