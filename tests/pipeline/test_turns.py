"""Merchants take turns: nobody waits longer because another one has handed in more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from sqlalchemy import select

from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Order, OrderRow, OrderState
from clearing.ordering.orders.progress_repository import OrderProgressRepository
from clearing.pipeline.models import Transaction
from clearing.pipeline.reversal_proofs import ReversalProofs
from clearing.pipeline.turns import Turns
from tests.support.harness import Harness

_PROGRAMS = {1: "FUEL", 2: "CINE"}


@pytest.fixture
def shop(harness: Harness) -> Shop:
    return Shop(harness)


class Shop:
    """Two merchants' orders, and the batches that carry them."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        harness.settings.batch_max_instructions = 8
        harness.settings.batches_in_flight = 99
        harness.restart()
        self.member = harness.member()

    def order(self, merchant: int, size: int = 1) -> str:
        """Accepts an order of so many issues."""
        request = IssueRequest(member=self.member, points=1, program=_PROGRAMS[merchant])
        return self.harness.accept(merchant, [request] * size)

    def batch(self) -> list[str]:
        """Makes the next batch; its orders."""
        before = self.submitted()
        assert self.harness.sequencer.sign_batch()
        return [order for order in self.submitted() if order not in before]

    def submitted(self) -> list[str]:
        with self.harness.database.session.begin() as session:
            query = select(Order.id).where(Order.state == OrderState.SUBMITTED).order_by(Order.seq)
            return list(session.scalars(query))

    def settle(self) -> None:
        self.harness.settle()
        self.harness.check()


def test_an_order_is_in_the_first_batch_whatever_another_merchant_has_waiting(shop: Shop) -> None:
    flood = [shop.order(1, 5) for _ in range(9)]
    honest = shop.order(2)
    assert shop.batch() == [flood[0], honest]
    late = shop.order(2)
    assert shop.batch() == [flood[1], late]
    assert shop.batch() == [flood[2]], "nobody else is waiting"
    shop.settle()


def test_merchants_share_batches_evenly_and_each_in_its_own_order(shop: Shop) -> None:
    flood = [shop.order(1) for _ in range(12)]
    second = [shop.order(2, 2) for _ in range(6)]
    of = dict.fromkeys(flood, 1) | dict.fromkeys(second, 2)
    seen: list[str] = []
    for _ in range(3):
        batch = shop.batch()
        assert Counter({1: 4, 2: 4}) == _instructions(shop, batch, of)
        seen += batch
    assert [order for order in seen if order in flood] == flood
    assert [order for order in seen if order in second] == second
    shop.settle()


def test_a_batch_has_its_orders_as_they_were_accepted(shop: Shop) -> None:
    """So it can be made again from its orders, byte for byte."""
    orders = [shop.order(merchant) for merchant in (1, 1, 1, 2, 1, 2)]
    shop.batch()
    with shop.harness.database.session.begin() as session:
        (transaction,) = session.scalars(select(Transaction).where(Transaction.orders == len(orders)))
        again = OrderProgressRepository(session).of_transaction(transaction.id)
        assert [order.row.id for order in again] == orders
        assert transaction.raw is not None
        assert ReversalProofs(session).calldata(again) in transaction.raw
    shop.settle()


def test_a_large_order_waits_no_longer_than_its_turn(shop: Shop) -> None:
    """Many small ones that come after it do not hold it up for ever."""
    shop.order(1, 8)
    assert len(shop.batch()) == 1
    large = shop.order(1, 8)
    batches = []
    while large not in shop.submitted():
        for _ in range(4):
            shop.order(2)
        batches.append(shop.batch())
    assert len(batches) <= 4
    shop.settle()


def test_to_a_sequencer_that_has_just_started_all_merchants_are_even(shop: Shop) -> None:
    first, second = shop.order(1, 8), shop.order(1, 8)
    assert shop.batch() == [first]
    shop.harness.restart()
    shop.order(2)
    assert shop.batch() == [second]
    shop.settle()


def test_a_merchant_saves_up_no_turns_while_it_has_nothing_waiting() -> None:
    turns = Turns()
    for _ in range(100):
        turns.note([_row(1, 10)])
    turns.note([_row(2, 10)])
    assert turns.ahead() == {1: 10, 2: 10}


def _row(merchant: int, size: int) -> OrderRow:
    fields = dict.fromkeys(OrderRow._fields) | {"merchant_number": merchant, "size": size}
    return OrderRow(**fields)  # type: ignore[arg-type]


def _instructions(shop: Shop, batch: Iterable[str], of: dict[str, int]) -> Counter[int]:
    sizes: Counter[int] = Counter()
    for order in batch:
        sizes[of[order]] += shop.harness.order(order).size
    return sizes
