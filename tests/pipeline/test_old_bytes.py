"""A transaction's bytes go some time after its block is final. Should the block fall out even then, the same happens again."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from clearing.kit.clock import MovableClock
from clearing.ordering.orders.models import OrderState
from clearing.pipeline.models import Transaction, TransactionAttempt, TransactionState
from clearing.pipeline.old_bytes import drop_old_bytes
from clearing.runtime.jobs import cleanup
from scripts.dev.services import Anvil
from tests.support.harness import Harness


def drop(harness: Harness, before: datetime | None = None, confirmations: int = 0) -> None:
    step = partial(drop_old_bytes, confirmations=confirmations)
    cleanup.remove_old(harness.database, step, before or harness.database.clock.now() + timedelta(days=1))


def bytes_of(harness: Harness) -> dict[TransactionState, list[bytes | None]]:
    found: dict[TransactionState, list[bytes | None]] = {state: [] for state in TransactionState}
    with harness.database.session.begin() as session:
        for transaction in session.scalars(select(Transaction).order_by(Transaction.id)):
            found[transaction.state].append(transaction.raw)
    return found


def test_bytes_stay_until_they_are_old_and_in_a_block_that_is_final(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_ROWS", 2)  # several steps
    harness.issue(harness.member(), 500)
    harness.settle()
    before = bytes_of(harness)
    assert len(before[TransactionState.MINED]) > 4
    drop(harness, before=harness.database.clock.now() - timedelta(days=1))
    drop(harness, confirmations=harness.client.head() + 1)
    assert bytes_of(harness) == before
    drop(harness, confirmations=1)  # the newest block is not final yet
    assert [raw is None for raw in bytes_of(harness)[TransactionState.MINED]][-2:] == [True, False]
    drop(harness)
    assert set(bytes_of(harness)[TransactionState.MINED]) == {None}

    order = harness.issue(harness.member(), 500)
    assert harness.sequencer.sign_batch()  # no block contains this one
    before = bytes_of(harness)
    drop(harness)
    assert bytes_of(harness) == before
    assert None not in before[TransactionState.SIGNED]
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED


def prepare(harness: Harness) -> list[str]:
    """An issuance, an exchange and its reversal, each settled in a block of its own."""
    member = harness.member()
    orders = [harness.issue(member, 500)]
    harness.settle()
    orders.append(harness.exchange(member, 100))
    harness.settle()
    orders.append(harness.reverse(2, orders[1], 40))
    harness.settle()
    return orders


def check(harness: Harness, orders: list[str]) -> None:
    assert [harness.order(order).state for order in orders] == [OrderState.SETTLED] * 3
    assert not bytes_of(harness)[TransactionState.SIGNED]
    harness.check()


def test_what_falls_out_after_its_bytes_are_gone_is_signed_again(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    orders = prepare(harness)
    for gas in (15_000_000, 14_000_000):  # with the gas of the first time, the bytes are the same ones
        harness.settings.batch_max_gas = gas
        harness.restart()
        drop(harness)
        own_chain.reorganise(harness.client.head() - 8)  # deep into the onboarding: calls, too
        harness.settle()
        check(harness, orders)
        assert None not in bytes_of(harness)[TransactionState.MINED][-3:]


def test_a_reversal_whose_original_cannot_settle_again_holds_up_nobody(
    lone_harness: Harness, own_chain: Anvil, clock: MovableClock
) -> None:
    harness = lone_harness
    member = harness.member()
    issued = harness.issue(member, 500)
    harness.settle()
    exchanged = harness.exchange(member, 100)
    harness.settle()
    harness.settings.managed_deadline = 3_000
    beside, undone = harness.issue(member, 30), harness.reverse(2, exchanged, 40)
    harness.settle()
    later = harness.issue(member, 5)
    harness.settle()
    drop(harness)
    own_chain.reorganise(3)  # all but the first issuance
    own_chain.rpc("evm_increaseTime", 1_000)  # too late for the exchange, so there is nothing to reverse

    harness.settle(30)
    states = {order: harness.order(order).state for order in (issued, exchanged, beside, undone, later)}
    assert states.pop(exchanged) is not OrderState.SETTLED
    assert states.pop(undone) is OrderState.ACCEPTED  # in the queue until its deadline
    assert set(states.values()) == {OrderState.SETTLED}
    assert not bytes_of(harness)[TransactionState.SIGNED]
    harness.check()

    clock.move(timedelta(hours=1))
    harness.settle(30)
    assert harness.order(undone).state is OrderState.EXPIRED
    harness.check()


def test_a_node_may_still_mine_the_bytes_that_we_have_dropped(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    order = harness.issue(member, 500)
    harness.settle()
    raw = bytes_of(harness)[TransactionState.MINED][-1]
    assert raw is not None
    drop(harness)
    harness.settings.batch_max_gas = 14_000_000
    harness.restart()
    own_chain.reorganise(1)
    harness.projector.step()
    own_chain.rpc("evm_setAutomine", False)
    harness.sequencer.send_due()  # other bytes, of which the node takes none any more
    own_chain.rpc("anvil_dropAllTransactions")
    own_chain.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    own_chain.rpc("evm_mine")
    own_chain.rpc("evm_setAutomine", True)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    with harness.database.session.begin() as session:
        assert len(session.scalars(select(TransactionAttempt)).all()) == 1
    harness.check()
    drop(harness)
    assert set(bytes_of(harness)[TransactionState.MINED]) == {None}
    with harness.database.session.begin() as session:
        assert session.scalars(select(TransactionAttempt.raw)).all() == [None]
