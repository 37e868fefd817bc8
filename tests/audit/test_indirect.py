"""Calls that no transaction makes itself, and calls that do nothing: an honest network has them, and they are no finding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import rlp
from eth_abi.abi import encode

from tests.audit.planted.world import (
    CINEMA,
    DAY,
    NEW_EXCHANGE,
    STATION,
    UTC_OFFSET,
    World,
    exchange_terms,
)
from tests.contracts.chain import ARTIFACT, GAS
from tests.contracts.network import address
from tongdui.audit.model.records import Role
from tongdui.audit.options import Options, Outcome
from tongdui.audit.run import audit
from tongdui.encoding import bytes_of, hex_of, keccak256, text_word
from tongdui.orders import full_signature, sign_digest, termination_digest

TIMELOCK, MULTISIG, FACTORY = ("0x" + keccak256(name)[:20].hex() for name in (b"timelock", b"multisig", b"factory"))
_CREATE_BYTES, _CALL_BYTES = 21, 60

Calls = Sequence[tuple[str, bytes]]


def audited(world: World, contract: str | None = None) -> Outcome:
    return audit(Options((world.url,), contract or world.chain.address.lower(), workers=0), lambda _: None)


def test_a_transaction_that_only_asks_is_no_finding(world: World) -> None:
    """Anybody can send one, and then the network's audit must hold all the same."""
    asking = [world.chain.encode_call(*call) for call in (("today",), ("merchantOf", 1), ("totalSupply", 2))]
    deposit = world.chain.encode_call(
        "deposit", STATION, 5, keccak256(b"BANK-9")
    )  # else nobody would look at the block
    world.pass_time(1)
    world.rpc("evm_setAutomine", False)
    for by, data in (*((world.stranger, data) for data in asking), (world.treasury, deposit)):
        world.rpc("eth_sendTransaction", _transaction(by, world.chain.address, data))
    world.rpc("evm_setNextBlockTimestamp", world.now)
    world.rpc("evm_mine")
    world.rpc("evm_setAutomine", True)
    block = world.rpc("eth_getBlockByNumber", "latest", False)
    assert len(block["transactions"]) == 4
    assert audited(world).findings == ()


def test_a_contract_behind_a_contract_may_hold_the_role(world: World) -> None:
    """A multisig lets a timelock act: the transaction names the multisig, the timelock has the role."""
    world.call(world.admin, "setRole", Role.TREASURY, TIMELOCK, True)
    call = world.chain.encode_call("deposit", STATION, 5, keccak256(b"BANK-9"))
    _place(world, TIMELOCK, [(world.chain.address, call)])
    _place(world, MULTISIG, [(TIMELOCK, b"")])
    _send(world, world.stranger, MULTISIG)
    outcome = audited(world)
    assert outcome.findings == ()
    assert any(MULTISIG in one.what and "Deposited" in one.what for one in outcome.not_checked)


def test_an_agreement_registered_and_another_ended_in_one_transaction(world: World) -> None:
    world.call(world.admin, "setRole", Role.OPERATOR, TIMELOCK, True)
    terms = exchange_terms(document=keccak256(b"another"))
    register = world.chain.encode_call("registerAgreement", 4, terms, *world.sign_terms(terms))
    _place(world, TIMELOCK, [(world.chain.address, register), (world.chain.address, _termination(world))])
    _send(world, world.stranger, TIMELOCK)
    assert audited(world).findings == ()


def test_a_contract_that_calls_while_it_is_created(world: World) -> None:
    code = _doing([(world.chain.address, _termination(world))])
    _send(world, world.stranger, None, code)
    assert audited(world).findings == ()


def test_a_clearing_house_made_and_set_up_in_one_transaction(world: World) -> None:
    """By another contract, which is its owner until it gives it away."""
    house = "0x" + keccak256(rlp.encode([bytes_of(FACTORY), b""]))[12:].hex()
    arguments = encode(["address", "bytes32", "int32"], [FACTORY, text_word("Another"), UTC_OFFSET])
    creation = bytes_of(json.loads(ARTIFACT.read_text())["bytecode"]) + arguments
    set_up: list[tuple[Any, ...]] = [
        ("setRole", Role.OPERATOR, FACTORY, True),
        ("registerMerchant", 1, text_word("Station"), address(1), 0),
        ("setRole", Role.OPERATOR, FACTORY, False),
        ("transferOwnership", world.admin),
    ]
    calls = [(house, world.chain.encode_call(*call)) for call in set_up]
    world.rpc("anvil_setCode", FACTORY, hex_of(_doing(calls, creation)))
    _send(world, world.stranger, FACTORY)
    outcome = audited(world, house)
    # The factory was owner and operator at once; the rest holds.
    assert [finding.rule for finding in outcome.findings] == ["roles.two_roles"]


def _termination(world: World) -> bytes:
    digest = termination_digest(world.domain, NEW_EXCHANGE, world.now + DAY)
    signature = full_signature(sign_digest(digest, world.keys[CINEMA]))
    return world.chain.encode_call("terminateAgreement", NEW_EXCHANGE, world.now + DAY, CINEMA, signature)


# -------------------------------------------------------------------- contracts


def _place(world: World, address: str, calls: Calls) -> None:
    """A contract that makes these calls, whoever calls it."""
    world.rpc("anvil_setCode", address, hex_of(_doing(calls)))


def _send(world: World, by: str, to: str | None, data: bytes = b"") -> None:
    world.pass_time(1)
    world.rpc("evm_setNextBlockTimestamp", world.now)
    receipt = world.rpc("eth_sendTransactionSync", _transaction(by, to, data))
    assert receipt["status"] == "0x1"


def _transaction(by: str, to: str | None, data: bytes) -> dict[str, str]:
    transaction = {"from": by, "data": hex_of(data), "gas": hex(GAS // 2), "gasPrice": "0x0"}
    return transaction if to is None else {**transaction, "to": to}


def _doing(calls: Calls, creation: bytes = b"") -> bytes:
    """Code that creates a contract, if it is given code for that, then makes calls one by one, and reverts where one fails."""
    create = _copy(len(creation), (first := _CREATE_BYTES if creation else 0) + _CALL_BYTES * len(calls) + 1) + _push(
        len(creation)
    )
    code, tail = (create + _push(0) * 2 + b"\xf0\x50")[:first], creation
    size = first + _CALL_BYTES * len(calls) + 1
    for to, data in calls:
        call = _push(0) * 2 + _push(len(data)) + _push(0) * 2 + b"\x73" + bytes_of(to) + b"\x5a\xf1"
        there = len(code) + _CALL_BYTES - 1
        code += _copy(len(data), size + len(tail)) + call + _push(there) + b"\x57" + _push(0) * 2 + b"\xfd\x5b"
        tail += data
    assert len(code) + 1 == size
    return code + b"\x00" + tail


def _copy(size: int, start: int) -> bytes:
    """Copies so much of the code to the beginning of the memory."""
    return _push(size) + _push(start) + _push(0) + b"\x39"


def _push(value: int) -> bytes:
    return b"\x61" + value.to_bytes(2, "big")
