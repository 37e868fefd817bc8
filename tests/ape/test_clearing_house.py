"""The clearing house as a Python developer meets it through ape, on a real anvil node."""

from __future__ import annotations

import json
from typing import Any

import ape
import pytest
from conftest import CINE, FUEL, SHIPPED, YUAN, Network
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from tongdui.orders import Instruction, Kind, Order, Reason
from tongdui.receipts import merkle_proof, root_of_proof

MEMBER = "0x" + "aB" * 20
DEADLINE = 2**40 - 1


def order(merchant: int, nonce: int, *instructions: Instruction) -> Order:
    return Order(merchant, nonce, DEADLINE, instructions)


def issue(points: int) -> Instruction:
    return Instruction(Kind.ISSUE, MEMBER, points, FUEL)


def redeem(points: int) -> Instruction:
    return Instruction(Kind.REDEEM, MEMBER, points, FUEL)


def exchange(points: int, min_out: int = 0) -> Instruction:
    return Instruction(Kind.EXCHANGE, MEMBER, points, FUEL, agreement=1, min_out=min_out)


def position(network: Network, merchant: int) -> int:
    return int(network.house.merchantOf(merchant)[1])


def test_ape_and_compile_py_agree_on_the_code(project: Any) -> None:
    """Ape always appends a hash of the metadata; before it, each byte is what the Python package ships."""
    built = project.ClearingHouse.contract_type.runtime_bytecode.bytecode.removeprefix("0x")
    shipped = json.loads(SHIPPED.read_text())["deployedBytecode"].removeprefix("0x")
    assert built.startswith(shipped)


def test_one_transaction_moves_points_and_settles_them(network: Network) -> None:
    receipt = network.execute(order(FUEL, 1, issue(1_000), exchange(101)))

    # 101 points buy floor(101 x 4/5) = 80, for which 100 are enough: the odd one stays with the member
    assert network.house.balanceOf(MEMBER, FUEL) == 900
    assert network.house.balanceOf(MEMBER, CINE) == 80
    assert position(network, FUEL) == -4_040_000
    assert position(network, CINE) == 80 * 50_000
    assert position(network, 0) == 40_000
    assert len(receipt.decode_logs(network.house.EntryPosted)) == 2


def test_points_are_redeemed_at_their_own_till(network: Network) -> None:
    receipt = network.execute(order(FUEL, 1, issue(1_000), redeem(300), redeem(701)))

    assert network.house.balanceOf(MEMBER, FUEL) == 700
    assert network.house.totalSupply(FUEL) == 700
    assert network.house.totalsOf(FUEL).redeemed == 300
    (refused,) = receipt.decode_logs(network.house.InstructionRejected)
    assert (refused.item, refused.reason) == (2, Reason.INSUFFICIENT_POINTS)


def test_a_receipt_is_checked_against_the_chain(network: Network) -> None:
    receipt = network.execute(order(FUEL, 1, issue(1_000), redeem(1), redeem(2)))
    logs = receipt.decode_logs(network.house.EntryPosted)
    entries = [(log.member, log.head, log.amounts, log.ref, bytes(32)) for log in logs]
    leaves = [keccak(encode(["address", "uint256", "uint256", "bytes32", "bytes32"], entry)) for entry in entries]

    for place, (member, head, amounts, *rest) in enumerate(entries):
        proof = merkle_proof(leaves, place)
        assert network.house.verifyEntry((member, head, amounts, *rest), proof)
        assert not network.house.verifyEntry((member, head, amounts + 1, *rest), proof)
        assert root_of_proof(leaves[place], proof) == network.house.rootOf(1)


def test_an_order_is_executed_once(network: Network) -> None:
    first = order(FUEL, 1, issue(10))
    network.execute(first)
    receipt = network.execute(first)

    assert network.house.balanceOf(MEMBER, FUEL) == 10
    assert len(receipt.decode_logs(network.house.OrderRejected)) == 1


def test_nobody_issues_the_points_of_another(network: Network) -> None:
    network.execute(order(CINE, 1, issue(10)))

    assert network.house.balanceOf(MEMBER, FUEL) == 0


def test_a_merchant_cannot_owe_more_than_its_limit(network: Network) -> None:
    """100 yuan of credit pay for 1,980 cinema points with the fee, not for 2,000."""
    network.execute(order(FUEL, 1, issue(10_000), exchange(2_500), exchange(2_475)))

    assert network.house.balanceOf(MEMBER, CINE) == 1_980
    assert position(network, FUEL) == -(1_980 * 50_000 * 101 // 100)
    assert position(network, FUEL) >= -100 * YUAN


def test_only_the_sequencer_executes(network: Network, accounts: Any) -> None:
    with ape.reverts():
        network.house.execute(b"", [], sender=accounts[5])


@pytest.mark.parametrize("atomic", [False, True])
def test_chain_sdk_and_eth_account_agree_on_the_digest(network: Network, atomic: bool) -> None:
    signed = Order(FUEL, 7, DEADLINE, (issue(3), exchange(2, min_out=1)), atomic)
    on_chain = network.house.digestOf(network.pack(signed))
    by_wallet = Account.sign_typed_data(network.keys[FUEL], full_message=signed.typed_data(network.domain))

    assert on_chain == signed.digest(network.domain) == by_wallet.message_hash
