"""The simulated chain says what anvil says: the same bytecode, logs, gas to the last unit, and refusals."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearing.chain.errors import ChainError
from clearing.chain.node_errors import is_batch_too_large, refusal_of
from clearing.pipeline.simulation import simulate
from scripts.dev.services import Anvil
from tests.conftest import Migrated
from tests.simulation.chain import Chain, Node, Transaction
from tests.simulation.evm import Contract
from tests.simulation.network import UTC_OFFSET, SimulatedClient
from tests.support.harness import Harness
from tests.support.traffic import trade
from tongdui import orders as wire
from tongdui.encoding import bytes_of, hex_of, keccak256
from tongdui.orders import Kind, sign_digest
from tongdui.receipts import Evidence

BLOCK_GAS = 30_000_000


class Replay:
    """Everything that anvil has mined, mined again by the simulated chain, block by block, and compared."""

    def __init__(self, harness: Harness, node: Anvil) -> None:
        self.harness, self.node = harness, node
        admin = harness.keys.address("admin")
        self.contract = Contract(admin, UTC_OFFSET)
        self.chain = Chain(self.contract, BLOCK_GAS)
        self.compared = 0
        self._next = 0

    def follow(self) -> None:
        """Mines what anvil has mined since, and compares each receipt."""
        for number in range(self._next, self.harness.client.head() + 1):
            block = self.node.rpc("eth_getBlockByNumber", hex(number), True)
            for one in block["transactions"]:
                if one["to"] is not None:
                    self._add(one)
            mined = self.chain.mine(int(block["timestamp"], 16))
            assert (mined.number, mined.timestamp) == (number, int(block["timestamp"], 16))
            self._compare(number)
            if (
                number == 0
            ):  # the contract is there from the beginning, and what created it was the key's first transaction
                self.chain.blocks[0] = replace(mined, nonces={self.harness.keys.address("admin"): 1})
        self._next = self.harness.client.head() + 1

    def _add(self, one: dict[str, Any]) -> None:
        transaction = Transaction(
            one["hash"], one["from"].lower(), int(one["nonce"], 16), int(one["gas"], 16), bytes_of(one["input"])
        )
        self.chain.pool[transaction.hash] = transaction

    def _compare(self, number: int) -> None:
        theirs = [one for one in self.node.rpc("eth_getBlockReceipts", hex(number)) if one["to"] is not None]
        ours = {one["transactionHash"]: one for one in self.chain.head.receipts}
        assert set(ours) == {one["transactionHash"] for one in theirs}
        for receipt in theirs:
            mine = ours[receipt["transactionHash"]]
            for name in ("status", "gasUsed"):
                assert mine[name] == receipt[name], f"{name} of {receipt['transactionHash']} in block {number}"
            assert _logs(mine) == _logs(receipt)
            self.compared += 1


def _logs(receipt: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(log["address"], tuple(log["topics"]), log["data"], log["logIndex"]) for log in receipt["logs"]]


@pytest.fixture(scope="module")
def harness(chain: Anvil, tmp_path_factory: pytest.TempPathFactory, migrated: Migrated) -> Iterator[Harness]:
    """A network on anvil, with some history."""
    directory: Path = tmp_path_factory.mktemp("network")
    found = Harness(migrated("sqlite", directory), chain.url, directory)
    found.onboard()
    yield found
    found.close()


@pytest.fixture
def replay(harness: Harness, chain: Anvil) -> Replay:
    """The same history on the simulated chain."""
    return Replay(harness, chain)


def test_whatever_is_mined_gives_the_same_logs_and_costs_the_same_gas(harness: Harness, replay: Replay) -> None:
    trade(harness)
    acceptance = harness.acceptor()
    member = harness.member()
    harness.issue(member, 1_000)
    harness.settle()
    spent = harness.spend(member, 40, acceptance)
    exchanged = harness.exchange(member, 100)
    harness.settle()
    harness.reverse(2, exchanged, 30)
    harness.reverse(3, spent)
    harness.settle()
    replay.follow()
    assert replay.compared > 20
    assert replay.chain.head.number == harness.client.head()


def test_hostile_batches_give_the_same_logs_and_cost_the_same_gas(harness: Harness, replay: Replay) -> None:
    """Sparse nonces, used nonces, foreign signers, late orders, atomic orders that fail, and batches that run out of gas."""
    rng = random.Random(7)
    harness.settle()
    refused = 0
    for number in range(8):
        orders = [_order(harness, rng, number, place) for place in range(rng.randint(1, 12))]
        gas = 10_000_000 if number % 3 else rng.randint(150_000, 350_000)
        data = wire.execute_calldata(orders, _none)
        raw = _signed(harness, data, gas)
        harness.client.send_raw([raw])
        receipt = harness.client.call("eth_getTransactionReceipt", hex_of(keccak256(raw)))
        refused += receipt["status"] == "0x0"
    replay.follow()
    assert refused, "no batch ran out of gas"


def _order(harness: Harness, rng: random.Random, batch: int, place: int) -> wire.SignedOrder:
    """An order that may be anything."""
    address = "0x" + rng.randbytes(20).hex() if rng.random() < 0.7 else "0x" + "11" * 20
    kinds = [(Kind.ISSUE, 1), (Kind.REDEEM, 1), (Kind.EXPIRE, 1), (Kind.ISSUE, 2), (Kind.EXCHANGE, 1)]
    instructions = []
    for _ in range(rng.randint(1, 3)):
        kind, program = rng.choice(kinds)
        agreement = 1 if kind is Kind.EXCHANGE else 0
        instructions.append(wire.Instruction(kind, address, rng.randint(0, 50), program, agreement))
    nonce = 1_000 + 256 * (12 * batch + place) if rng.random() < 0.8 else 1_000
    late = rng.random() < 0.1
    deadline = 1 if late else 2**40 - 1
    order = wire.Order(1, nonce, deadline, tuple(instructions), atomic=rng.random() < 0.3)
    digest = order.digest(harness.network.domain)
    signature = sign_digest(digest, rng.randbytes(32)) if rng.random() < 0.1 else harness.sign(1, order.struct_hash())
    return wire.SignedOrder(order, signature)


def test_a_node_answers_and_refuses_in_the_same_way(harness: Harness, replay: Replay, chain: Anvil) -> None:
    replay.follow()
    ours = SimulatedClient(Node(replay.chain))
    theirs = harness.client
    head = theirs.head()
    sender, stranger = harness.keys.address("sequencer"), harness.keys.address("operator")
    contract = harness.settings.contract
    assert ours.chain_id() == theirs.chain_id()
    assert ours.head() == head
    assert ours.block_hash(head + 1) is theirs.block_hash(head + 1) is None
    assert ours.newest_block() == theirs.newest_block()
    assert ours.next_nonce(sender) == theirs.next_nonce(sender)
    for number in range(2, head + 1):  # the first one created the contract
        (our_block,), (their_block,) = (one.blocks(number, number, contract) for one in (ours, theirs))
        assert our_block.logs == their_block.logs
        assert set(our_block.receipts) <= set(their_block.receipts)
    assert ours.tip(head, contract).following is theirs.tip(head, contract).following is None
    # Calls: what they return, the contract's own errors, and a batch that is too large.
    paused = keccak256(b"paused()")[:4]
    assert ours.eth_call(contract, paused) == theirs.eth_call(contract, paused)
    batch = wire.execute_calldata([_order(harness, random.Random(1), 0, 0)], _none)
    for by, gas in ((sender, 10_000_000), (stranger, 10_000_000), (sender, 60_000)):
        mine, real = (simulate(one, sender=by, contract=contract, data=batch, gas=gas) for one in (ours, theirs))
        assert _said(mine) == _said(real)
    # Transactions that a node refuses, for the reasons that the product tells apart.
    used = bytes_of(chain.rpc("eth_getRawTransactionByHash", replay.chain.blocks[-1].transactions[0].hash))
    chain.rpc("evm_setAutomine", False)
    raw, huge = _signed(harness, batch, 5_000_000), _signed(harness, batch, 2 * BLOCK_GAS)
    for sent in (raw, raw, huge, used):
        refusals = [one.send_raw([sent])[0] for one in (ours, theirs)]
        kinds = [error and refusal_of(error) for error in refusals]
        assert kinds[0] == kinds[1], refusals
    chain.rpc("evm_setAutomine", True)


def _signed(harness: Harness, data: bytes, gas: int) -> bytes:
    """The bytes of a batch with whatever content, by the sequencer's key."""
    outbox = harness.sequencer._outbox
    with harness.database.session.begin() as session:
        return outbox.sign(session, "sequencer", data, gas, outbox.ask_node("sequencer")).raw or b""


def _none(_: wire.Instruction) -> Evidence:
    raise AssertionError("there are no reversals")


def _said(error: ChainError | None) -> tuple[object, bool] | None:
    """What the product looks at in a call's failure."""
    return (error.data, is_batch_too_large(error)) if error is not None else None
