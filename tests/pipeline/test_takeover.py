"""The sequencer under failures: its own death, a node that forgets or refuses, a chain that is paused or expensive."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.chain.client import ChainClient
from clearing.chain.deployment import deploy
from clearing.chain.errors import ChainError
from clearing.chain.fees import decoded
from clearing.kit.database import Database
from clearing.kit.signing.role_keys import ROLES
from clearing.ledger.journal.models import Batch, Entry
from clearing.ordering.orders import limits
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Order, OrderState
from clearing.oversight.reconciliation.service import ReconciliationService
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.models import Transaction, TransactionAttempt, TransactionState
from clearing.runtime.embedded.fork_server import Forked
from scripts.dev.services import Anvil, anvil
from tests.support import forked
from tests.support.harness import Harness
from tests.support.secrets import role_keys, secret_variables

GWEI = 10**9


# -------------------------------------------------------------------- leaders


def test_a_second_sequencer_takes_over_from_a_killed_one_within_seconds(harness: Harness, tmp_path: Path) -> None:
    members = [harness.member() for _ in range(10)]
    with _daemon(harness, "sequencer", tmp_path) as first, _daemon(harness, "projector", tmp_path):
        orders = [harness.issue(member, 100) for member in members]
        _until(lambda: _count(harness, OrderState.SETTLED) == 10)
        with _daemon(harness, "sequencer", tmp_path) as second:
            _until(lambda: (tmp_path / "sequencer.log").read_text().count('"started"') == 2)
            orders += [harness.issue(member, 10) for member in members]
            os.kill(first.pid, signal.SIGKILL)
            died = time.monotonic()
            orders += [harness.issue(member, 1) for member in members]
            _until(lambda: _count(harness, OrderState.SETTLED) == 30)
            assert time.monotonic() - died < 60
            assert second.poll() is None
    assert _entries(harness) == 30
    harness.check()


def test_there_is_one_leader_and_its_lock_ends_with_its_connection(database_url: str) -> None:
    first, second = Database(database_url), Database(database_url)
    a, b = Leadership(first, "sequencer"), Leadership(second, "sequencer")
    assert (a.acquire(), b.acquire(), a.acquire()) == (True, False, True)
    other = Leadership(second, "projector")
    assert other.acquire()
    other.release()
    if not first.is_sqlite:  # a machine that is gone closes no connection: the server has to probe
        with second.engine.connect() as connection:
            assert a._connection is not None
            assert a._connection.exec_driver_sql("SHOW tcp_keepalives_idle").scalar() == "5"
            assert connection.exec_driver_sql("SHOW tcp_keepalives_idle").scalar() != "5"
    a.release()
    assert (b.acquire(), a.acquire()) == (True, False)
    if not first.is_sqlite:  # a process that is killed steps down by losing its connection
        assert b._connection is not None
        b._connection.close()
        _until(a.acquire)
    a.release()
    b.release()
    first.close()
    second.close()


# -------------------------------------------------------------------- a node that forgets


def test_a_transaction_that_the_node_dropped_is_sent_again(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    own_chain.rpc("evm_setAutomine", False)
    orders = [harness.issue(harness.member(), 100)]
    harness.sequencer.step()
    (stuck,) = _signed(harness)
    assert own_chain.rpc("anvil_dropTransaction", "0x" + stuck.hash.hex()) is not None
    own_chain.rpc("evm_mine")
    assert not _receipt(harness, stuck.hash)
    assert harness.sequencer.send_due()
    assert harness.sequencer.send_due()  # and again: the node knows it by now, which is no error
    own_chain.rpc("evm_mine")
    assert _receipt(harness, stuck.hash)
    own_chain.rpc("evm_setAutomine", True)
    harness.settle()
    assert [harness.order(order).state for order in orders] == [OrderState.SETTLED]
    harness.check()


def test_several_batches_in_flight_survive_a_chain_that_mines_by_the_clock(database_url: str, tmp_path: Path) -> None:
    with anvil(block_time=1, arguments=["--code-size-limit", "60000"]) as node:
        harness = Harness(database_url, node.url, tmp_path, batch_max_instructions=5)
        harness.onboard()
        harness.settings.resend_after = 1.0
        members = [harness.member() for _ in range(4)]
        orders = [harness.issue(member, 100) for member in members for _ in range(10)]
        for _ in range(10):
            harness.sequencer.step()  # the projector sees none of it
        assert len(_signed(harness)) == harness.settings.batches_in_flight
        while _count(harness, OrderState.SETTLED) < len(orders):
            harness.settle()
        assert _entries(harness) == len(orders)
        harness.check()
        harness.close()


def test_with_confirmations_an_order_settles_only_under_enough_blocks(
    database_url: str, own_chain: Anvil, tmp_path: Path
) -> None:
    harness = Harness(database_url, own_chain.url, tmp_path)
    harness.onboard()
    harness.settings.confirmations, harness.settings.resend_after = 3, 60
    order = harness.issue(harness.member(), 100)
    for _ in range(3):
        harness.settle()
        assert harness.order(order).state is OrderState.SUBMITTED
        own_chain.rpc("anvil_mine", "0x1")
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert _entries(harness) == 1
    harness.check()
    harness.close()


# -------------------------------------------------------------------- batches that do not fit


def test_a_batch_that_runs_out_of_gas_is_made_smaller_until_it_passes_and_then_larger_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    _underestimate_gas(monkeypatch)
    harness.settings.batch_max_gas = 500_000  # some ten issuances
    harness.restart()
    orders = [harness.issue(harness.member(), 100) for _ in range(60)]
    harness.settle()
    assert {harness.order(order).state for order in orders} == {OrderState.SETTLED}
    with harness.database.session.begin() as session:
        reverted = session.scalars(select(Transaction).where(Transaction.state == TransactionState.REVERTED)).all()
        sizes = list(session.scalars(select(Batch.entries).order_by(Batch.number)))
    assert len(reverted) == 1, "only the first was sent in vain; the others were tried out"
    assert sum(sizes) == 60
    assert max(sizes) < 30, "neither 60 nor 30 pass, so what was sent had been halved at least twice"
    assert _entries(harness) == 60
    harness.check()


def test_an_order_that_fits_into_no_transaction_is_rejected_and_holds_nobody_up(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    _underestimate_gas(monkeypatch)
    members = [harness.member() for _ in range(30)]
    harness.settings.batch_max_gas = 500_000
    harness.restart()
    large = harness.accept(1, [IssueRequest(member=member, points=1, program="FUEL") for member in members])
    small = harness.issue(members[0], 5)
    harness.settle()
    refused = harness.order(large)
    assert (refused.state, refused.reason) == (OrderState.REJECTED, "too_large")
    assert harness.order(small).state is OrderState.SETTLED
    harness.check()
    assert _drifts(harness) == []


def test_a_batch_that_the_node_finds_too_large_is_halved_under_the_same_nonce(harness: Harness) -> None:
    limit = 2_500
    _refuse_if(harness, lambda raw: len(raw) > limit, "oversized data: transaction size 9999, limit 2500")
    orders = [harness.issue(harness.member(), 100) for _ in range(40)]
    harness.settle()
    assert {harness.order(order).state for order in orders} == {OrderState.SETTLED}
    with harness.database.session.begin() as session:
        batches = session.scalars(select(Transaction).where(Transaction.orders > 0)).all()
        assert {batch.state for batch in batches} == {TransactionState.MINED}
        assert max(len(batch.raw) for batch in batches) <= limit
        assert session.scalar(select(func.count()).select_from(TransactionAttempt)) >= 3  # 40, 20, 10, and 5 fit
    assert _entries(harness) == 40
    harness.check()


def test_a_batch_whose_gas_limit_the_chain_does_not_allow_is_signed_again_with_less(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    harness = lone_harness
    harness.issue(harness.member(), 100)
    harness.settle()
    own_chain.rpc("evm_setBlockGasLimit", hex(8_000_000))
    own_chain.rpc("evm_mine")
    order = harness.issue(harness.member(), 100)
    harness.settle()
    with harness.database.session.begin() as session:
        assert session.scalar(select(func.count()).select_from(TransactionAttempt)) == 1
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


# -------------------------------------------------------------------- a chain that is paused


def test_while_the_network_is_paused_the_sequencer_waits(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearing.pipeline.batching._BLOCKED_PAUSE", 0.0)
    harness.send("pauser", "pause")
    harness.settle()
    orders = [harness.issue(harness.member(), 100) for _ in range(3)]
    harness.settle()
    for _ in range(20):
        harness.sequencer.step()
        harness.projector.step()
    with harness.database.session.begin() as session:
        batches = session.scalars(select(Transaction.state).where(Transaction.orders > 0)).all()
    assert batches == [TransactionState.REVERTED], "one batch showed it; no other was sent"
    assert {harness.order(order).state for order in orders} == {OrderState.ACCEPTED}
    harness.send("pauser", "unpause")
    harness.settle()
    harness.settle()
    assert {harness.order(order).state for order in orders} == {OrderState.SETTLED}
    assert _entries(harness) == 3
    harness.check()


def test_a_blocked_sequencer_looks_at_the_contract_once_a_second_at_most(harness: Harness) -> None:
    harness.send("pauser", "pause")
    harness.settle()
    harness.issue(harness.member(), 100)
    harness.settle()  # the first batch shows that it is paused
    looks = _times_of_calls(harness, "eth_call")
    while len(looks) < 3:
        harness.sequencer.step()
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(looks))


# -------------------------------------------------------------------- gas that costs money


@pytest.fixture
def costly_harness(database_url: str, own_chain: Anvil, tmp_path: Path) -> Iterator[Harness]:
    """A network on a chain with a base fee of 1 gwei. Its keys have funds, and its fee ceiling is 100 gwei."""
    keys = role_keys(tmp_path / "keys")
    for role in ROLES:
        keys.ensure(role)
        own_chain.rpc("anvil_setBalance", keys.address(role), hex(10**20))
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    client = ChainClient(own_chain.url)
    deploy(client, keys, operator_name="Test", utc_offset_seconds=28_800, max_fee_per_gas=100 * GWEI)
    client.close()
    harness = Harness(database_url, own_chain.url, tmp_path, max_fee_per_gas=100 * GWEI)
    harness.onboard()
    yield harness
    harness.close()


def test_where_gas_costs_money_the_network_pays_it(costly_harness: Harness) -> None:
    order = costly_harness.issue(costly_harness.member(), 100)
    costly_harness.settle()
    assert costly_harness.order(order).state is OrderState.SETTLED
    costly_harness.check()


def test_a_transaction_that_became_too_cheap_is_replaced_under_its_nonce_and_settles_once(
    costly_harness: Harness, own_chain: Anvil
) -> None:
    harness = costly_harness
    own_chain.rpc("evm_setAutomine", False)
    order = harness.issue(harness.member(), 100)
    harness.sequencer.step()
    (first,) = _signed(harness)
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
    own_chain.rpc("evm_mine")
    assert not _receipt(harness, first.hash), "nobody mines it at this price"
    harness.sequencer.send_due()
    (second,) = _signed(harness)
    assert (second.id, second.nonce) == (first.id, first.nonce)
    assert second.hash != first.hash
    assert decoded(second.raw)["maxFeePerGas"] >= 40 * GWEI
    assert decoded(second.raw)["data"] == decoded(first.raw)["data"]
    with harness.database.session.begin() as session:
        assert session.get_one(TransactionAttempt, first.hash).raw == first.raw
    own_chain.rpc("evm_mine")
    own_chain.rpc("evm_setAutomine", True)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert _entries(harness) == 1
    harness.check()


def test_the_version_before_may_be_the_one_that_is_mined(costly_harness: Harness, own_chain: Anvil) -> None:
    """The raised fee is stored, and then another node mines the old bytes."""
    harness = costly_harness
    own_chain.rpc("evm_setAutomine", False)
    order = harness.issue(harness.member(), 100)
    call = _request(harness, "setCreditLimit", [1, 5_000])
    harness.sequencer.step()
    harness.signer.step()
    before = {transaction.id: transaction.hash for transaction in _signed(harness)}
    honest = harness.client.send_raw
    harness.client.send_raw = lambda raws: [None] * len(raws)  # type: ignore[method-assign]
    harness.sequencer.send_due()
    harness.signer.send_due()
    harness.client.send_raw = honest  # type: ignore[method-assign]
    assert all(transaction.hash != before[transaction.id] for transaction in _signed(harness))
    own_chain.rpc("evm_mine")
    own_chain.rpc("evm_setAutomine", True)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    with harness.database.session.begin() as session:
        for id, tx_hash in before.items():  # noqa: A001
            transaction = session.get_one(Transaction, id)
            assert (transaction.state, transaction.hash) == (TransactionState.MINED, tx_hash)
        assert session.get_one(Call, call).state is CallState.DONE
    assert _entries(harness) == 1
    harness.check()


def test_no_fee_goes_over_the_ceiling(costly_harness: Harness, own_chain: Anvil) -> None:
    harness = costly_harness
    own_chain.rpc("evm_setAutomine", False)
    order = harness.issue(harness.member(), 100)
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(200 * GWEI))
    own_chain.rpc("evm_mine")
    for _ in range(20):
        harness.sequencer.step()
    (waiting,) = _signed(harness)
    assert decoded(waiting.raw)["maxFeePerGas"] == 100 * GWEI
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    own_chain.rpc("evm_setAutomine", True)
    own_chain.rpc("evm_mine")
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


# -------------------------------------------------------------------- helpers


@contextlib.contextmanager
def _daemon(harness: Harness, name: str, directory: Path) -> Iterator[Forked]:
    settings = harness.settings
    environment = {
        **os.environ,
        "TONGDUI_DATABASE_URL": settings.database_url,
        "TONGDUI_RPC_URL": settings.rpc_url,
        "TONGDUI_CONTRACT": settings.contract,
        **secret_variables(settings),
        "TONGDUI_RESEND_AFTER": "1",
    }
    process = forked.start(["clearing", name], environment=environment, log=directory / f"{name}.log")
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(done: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def _count(harness: Harness, state: OrderState) -> int:
    with harness.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Order).where(Order.state == state)) or 0


def _entries(harness: Harness) -> int:
    with harness.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Entry)) or 0


def _signed(harness: Harness) -> list[Transaction]:
    with harness.database.reading() as session:
        query = select(Transaction).where(Transaction.state == TransactionState.SIGNED).order_by(Transaction.id)
        return list(session.scalars(query))


def _receipt(harness: Harness, tx_hash: bytes) -> Any:
    return harness.client.call("eth_getTransactionReceipt", "0x" + tx_hash.hex())


def _request(harness: Harness, function: str, arguments: list[Any]) -> int:
    with harness.database.session.begin() as session:
        return request_call(session, "operator", function, arguments, "").id


def _drifts(harness: Harness) -> list[Any]:
    return ReconciliationService(harness.database, harness.client, harness.settings).run().drifts


def _underestimate_gas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.GasMeter, "gas", 0)


def _refuse_if(harness: Harness, wrong: Callable[[bytes], bool], message: str) -> None:
    """Puts a node in front of the node that refuses some transactions."""
    honest = harness.client.send_raw

    def send_raw(raws: Sequence[bytes]) -> list[ChainError | None]:
        passed = iter(honest([raw for raw in raws if not wrong(raw)]))
        return [ChainError("eth_sendRawTransaction", -32_000, message) if wrong(raw) else next(passed) for raw in raws]

    harness.client.send_raw = send_raw  # type: ignore[method-assign]


def _times_of_calls(harness: Harness, method: str) -> list[float]:
    seen: list[float] = []
    honest = harness.client.call

    def call(name: str, *params: Any) -> Any:
        if name == method:
            seen.append(time.monotonic())
        return honest(name, *params)

    harness.client.call = call  # type: ignore[method-assign]
    return seen
