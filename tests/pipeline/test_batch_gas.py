"""No batch runs out of gas, whatever a merchant signs; and after one that did, the next ones are tried out until one was mined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from clearing.kit.errors import ClearingError
from clearing.ledger.journal.models import Batch
from clearing.ordering.orders import limits
from clearing.ordering.orders.kinds.exchange import ExchangeRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.limits import NOTHING_KNOWN, GasMeter, Savings
from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from clearing.ordering.orders.service import OrderRequest, OrderService
from clearing.parties.merchants.models import Merchant
from clearing.pipeline.capacity import BatchCapacity
from clearing.pipeline.models import Transaction, TransactionState
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tongdui import orders as wire
from tongdui.orders import Kind

SPARSE = 440
"""So many orders, each with a nonce in a word of its own, fit into no batch, but seemed to."""
ITEMS = 10


def batches(harness: Harness) -> int:
    with harness.database.session.begin() as session:
        return session.scalar(select(func.count()).select_from(Batch)) or 0


def ends(harness: Harness) -> Counter[TransactionState]:
    """What became of all batches."""
    with harness.database.session.begin() as session:
        query = select(Transaction.state).where(Transaction.orders > 0)
        return Counter(session.scalars(query))


def sparse_issues(harness: Harness, member: str) -> list[str]:
    """Many issues to a member, each in an order of its own that the merchant signs, with every 256th nonce; the orders' ids."""
    address, _ = harness.account(member)
    deadline = harness.database.clock.unix() + 600
    with harness.database.session.begin() as session:
        service = OrderService(session, network=harness.network, keyring=harness.keyring, settings=harness.settings)
        first = service.reserve_nonces(session.get_one(Merchant, 1), 256 * SPARSE)
    signed = []
    for nonce in range(first, first + 256 * SPARSE, 256):
        order = wire.Order(1, nonce, deadline, (wire.Instruction(Kind.ISSUE, address, 1, 1),))
        signed.append(Authorization(nonce, deadline, harness.sign(1, order.struct_hash())))
    request = IssueRequest(member=member, points=1, program="FUEL")
    with harness.database.session.begin() as session:
        service = OrderService(session, network=harness.network, keyring=harness.keyring, settings=harness.settings)
        merchant = session.get_one(Merchant, 1)
        wanted = [
            OrderRequest(merchant=merchant, requests=[request], actor="test", authorization=one) for one in signed
        ]
        return [one.id for one in service.accept_all(wanted) if not isinstance(one, ClearingError)]


# -------------------------------------------------------------------- what is supposed, and what is known


def test_a_merchant_with_sparse_nonces_makes_no_batch_run_out_of_gas(harness: Harness) -> None:
    member = _with_points(harness)
    sparse = sparse_issues(harness, member)
    assert len(sparse) == SPARSE
    honest = harness.accept(2, [IssueRequest(member=harness.member(), points=5, program="CINE")])
    before = batches(harness)
    harness.sequencer.step()
    harness.projector.step()
    assert (harness.order(honest).state, batches(harness) - before) == (OrderState.SETTLED, 1)
    harness.settle()
    assert {harness.order(order).state for order in [*sparse[:: SPARSE // 5], honest]} == {OrderState.SETTLED}
    assert ends(harness) == {TransactionState.MINED: batches(harness)}
    assert batches(harness) - before <= 3
    harness.check()


def test_without_its_price_the_nonce_word_makes_them_run_out_of_gas(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "price_of_nonce_word", lambda: 0)
    sparse_issues(harness, _with_points(harness))
    harness.settle()
    assert ends(harness)[TransactionState.REVERTED] > 0
    harness.check()


def _with_points(harness: Harness) -> str:
    """A member for whom orders are cheap, but for their nonces."""
    member = harness.member()
    harness.issue(member, 1)
    harness.settle()
    return member


def test_more_orders_share_a_batch_where_members_have_points(harness: Harness) -> None:
    known, unknown = ([harness.member() for _ in range(ITEMS)] for _ in range(2))
    for member in known:
        harness.issue(member, 1_000)
    harness.settle()
    harness.settings.batch_max_gas = 620_000
    harness.restart()
    exchanges = [ExchangeRequest(member=m, points=10, source_program="FUEL", target_program="CINE") for m in known]
    assert _settled_together(harness, _issues(unknown)) == 2
    assert _settled_together(harness, _issues(known)) == 1
    assert _settled_together(harness, exchanges) == 1, "the points come into the page out of which others go"
    assert ends(harness)[TransactionState.REVERTED] == 0
    harness.check()


def test_points_that_pending_orders_will_take_are_not_counted_on(harness: Harness) -> None:
    emptied, kept = harness.member(), harness.member()
    for member in (emptied, kept):
        harness.issue(member, 100)
    harness.settle()
    harness.redeem(emptied, 100, "FUEL")
    harness.redeem(kept, 50, "FUEL")
    to_emptied, to_kept, exchanged = harness.issue(emptied, 1), harness.issue(kept, 1), harness.exchange(kept, 10)
    with harness.database.session.begin() as session:
        repository = OrderProgressRepository(session)
        queue = repository.take(100, {})
        by_seq = repository.savings(queue)
        found = {order.row.id: by_seq.get(order.row.seq, NOTHING_KNOWN) for order in queue}
    assert found[to_emptied] == NOTHING_KNOWN
    assert found[to_kept] == Savings(full=1)
    assert found[exchanged] == Savings(full=1, shared=1)
    harness.settle()
    harness.check()


def _settled_together(harness: Harness, requests: Sequence[InstructionRequest]) -> int:
    """Makes two orders of these requests and settles them; in how many batches."""
    orders = [harness.accept(1, requests) for _ in range(2)]
    before = batches(harness)
    harness.settle()
    assert {harness.order(order).state for order in orders} == {OrderState.SETTLED}
    return batches(harness) - before


# -------------------------------------------------------------------- batches that were tried out


def test_only_a_batch_that_was_tried_out_shows_that_the_next_ones_pass(harness: Harness) -> None:
    capacity = BatchCapacity(harness.settings)
    capacity.batch_failed()
    capacity.batch_succeeded(tried=False)
    assert capacity.careful, "it was signed before the other one failed"
    capacity.batch_succeeded(tried=True)
    assert not capacity.careful


def test_batches_in_flight_behind_one_that_fails_are_no_reason_to_stop_trying(
    lone_harness: Harness, own_chain: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = lone_harness
    own_chain.rpc("evm_setAutomine", False)
    with monkeypatch.context() as patched:
        patched.setattr(GasMeter, "gas", 0)
        harness.settings.batch_max_gas = 400_000
        harness.restart()
        orders = [harness.accept(1, _issues([harness.member() for _ in range(20)]))]
        harness.sequencer.step()
        orders += [harness.issue(harness.member(), 1)]
        harness.sequencer.step()
        own_chain.rpc("evm_mine")
        own_chain.rpc("evm_setAutomine", True)
        while harness.projector.step():
            pass
        assert ends(harness) == {TransactionState.REVERTED: 1, TransactionState.MINED: 1}
        orders += [harness.issue(harness.member(), 1)]
        harness.sequencer.step()
        capacity = harness.sequencer._batches.capacity
        assert capacity.careful
    harness.settle()
    assert harness.order(orders[0]).reason == "too_large"
    assert {harness.order(order).state for order in orders[1:]} == {OrderState.SETTLED}
    assert ends(harness)[TransactionState.REVERTED] == 1
    harness.check()


def _issues(members: Sequence[str]) -> list[IssueRequest]:
    return [IssueRequest(member=member, points=1, program="FUEL") for member in members]
