"""Traffic for tests that need a chain with some history."""

from __future__ import annotations

from sqlalchemy import select

from clearing.ledger.accounts.models import Account
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Order, OrderState
from tests.support.harness import Harness


def trade(harness: Harness) -> str:
    """Makes every kind of movement that the harness knows, with a rejection; returns the member."""
    member, other = harness.member(), harness.member()
    harness.issue(member, 1_000)
    harness.issue(other, 70)
    harness.settle()
    harness.exchange(member, 101)
    harness.settle()
    harness.redeem(member, 5)
    first = harness.redeem(other, 70, "FUEL")
    with (
        harness.database.session.begin() as session
    ):  # forget what is reserved, and the chain has to refuse the second one
        (instruction,) = session.scalars(select(Order).where(Order.id == first)).one().instructions
        session.get_one(Account, (instruction.address, 1)).reserved = 0
        instruction.reserves = 0
    second = harness.redeem(other, 70, "FUEL")
    harness.settle()
    assert harness.order(second).state is OrderState.REJECTED
    harness.accept(1, [IssueRequest(member=other, points=40, program="FUEL")])
    harness.settle()
    harness.check()
    return member
