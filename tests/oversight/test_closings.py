"""Closings: positions and accounts at the end of past days, compared with the contract at each day's last block."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from clearing.chain.contract import encode_call
from clearing.kit.clock import MovableClock
from clearing.kit.errors import ClearingError
from clearing.kit.identity import SECONDS_A_DAY
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.models import Account
from clearing.ledger.availability.accounts import Holder
from clearing.oversight.closings.service import ClosingDay, ClosingService
from clearing.oversight.statements.models import Statement
from scripts.dev.services import Anvil
from tests.oversight.test_statements import make_statements
from tests.support.harness import Harness

EVERYONE = Viewer()


class Books:
    """What the closings of a network say, and what its contract said then."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness

    def day(self, ago: int) -> date:
        return self.harness.network.date_of(self.harness.today() - ago)

    def closing(self, as_of: date) -> ClosingDay:
        with self.harness.database.reading() as session:
            return ClosingService(session, network=self.harness.network).day(as_of)

    def check(self, as_of: date) -> int:
        """Compares every position and account of a day with the contract; returns how many were not zero."""
        closing = self.closing(as_of)
        with self.harness.database.reading() as session:
            closings = ClosingService(session, network=self.harness.network)
            positions = dict(closings.positions(EVERYONE, closing, after=None, limit=50))
            addresses = set(session.scalars(select(Account.address)))
            points = {
                (address, program): found
                for address in addresses
                for program, found in closings.balances(EVERYONE, closing, Holder(address, None)).items()
            }
        assert positions == {number: self._position(number, closing) for number in positions}
        assert points == {account: self._points(*account, closing) for account in points}
        assert len(positions) >= 3
        return sum(value != 0 for value in (*positions.values(), *points.values()))

    def _position(self, merchant: int, closing: ClosingDay) -> int:
        return int.from_bytes(self._ask(closing, "merchantOf", merchant)[32:64], "big", signed=True)

    def _points(self, address: str, program: int, closing: ClosingDay) -> int:
        return int.from_bytes(self._ask(closing, "balanceOf", address, program), "big")

    def _ask(self, closing: ClosingDay, function: str, *arguments: object) -> bytes:
        if closing.last_block is None:
            return bytes(96)
        call = {"to": self.harness.settings.contract, "data": "0x" + encode_call(function, list(arguments)).hex()}
        return bytes.fromhex(self.harness.client.call("eth_call", call, hex(closing.last_block.number))[2:])


def test_a_past_day_says_what_the_contract_said_at_its_last_block(
    lone_harness: Harness, own_chain: Anvil, clock: MovableClock
) -> None:
    harness, books = lone_harness, Books(lone_harness)
    harness.settings.managed_deadline = harness.settings.max_deadline = 9 * SECONDS_A_DAY  # the chain's clock will jump
    first, second = harness.member(), harness.member()
    orders = [harness.issue(first, 1_000), harness.issue(second, 300)]
    harness.settle()
    for day in range(3):
        own_chain.rpc("evm_increaseTime", SECONDS_A_DAY)
        clock.move(timedelta(days=1))
        orders += [harness.exchange(first, 50 + day), harness.transfer(first, second, 7 + day)]
        harness.settle()
        harness.reverse(1, orders[-1], 2)  # takes points back from whoever received them
        harness.reverse(2, orders[-2], 10)
        harness.settle()
    past, today = [books.day(ago) for ago in (3, 2, 1)], books.day(0)
    assert [books.check(day) for day in past] == [4, 6, 6]
    assert books.check(books.day(9)) == 0, "the chain had not begun"
    assert all(books.closing(day).is_final for day in past)

    clock.move(timedelta(minutes=6))
    assert {harness.network.date_of(statement.day) for statement in make_statements(harness)} == set(past)
    assert [books.check(day) for day in past] == [4, 6, 6], "from statements"
    with harness.database.session.begin() as session:  # as if they had been made from blocks that fell out of the chain
        session.execute(update(Statement).values(last_hash=bytes(32), closing=1))
    assert [books.check(day) for day in past] == [4, 6, 6], "statements of another chain do not count"

    clock.move(timedelta(days=1))
    assert not books.closing(today).is_final, "no block of a later day is there"
    assert books.check(today) == 6


def test_a_day_that_is_not_over_is_refused_in_words(lone_harness: Harness) -> None:
    books = Books(lone_harness)
    for ago in (0, -1):
        with pytest.raises(ClearingError) as refused:
            books.closing(books.day(ago))
        (error,) = refused.value.errors
        assert error.parameter == "as_of"
        assert f"{books.day(1)} or before" in error.detail
