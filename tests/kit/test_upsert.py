"""Adding to many rows at once: exactly, on both databases, and without losing what a session has changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearing.kit.database import Database
from clearing.kit.upsert import add_all
from clearing.ledger.accounts.models import UNDATED, Account
from clearing.ledger.accounts.repository import AccountRepository, Balance
from clearing.ledger.settlement.models import Position
from clearing.ledger.settlement.repository import PositionRepository

HUGE = 2**64 - 1


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    found = Database(database_url)
    found.upgrade()
    yield found
    found.close()


def test_a_row_is_made_or_added_to(database: Database) -> None:
    accounts = [(f"0x{number:040x}", program) for number in range(700) for program in (1, 2)]
    with database.session.begin() as session:
        AccountRepository(session).add({account: Balance(posted=HUGE, due_on=40) for account in accounts[:900]})
    with database.session.begin() as session:
        AccountRepository(session).add({account: Balance(HUGE, 7, due_on=30) for account in accounts})
        AccountRepository(session).add({accounts[0]: Balance(reserved=-2), accounts[1]: Balance(due_on=99)})
    with database.session.begin() as session:
        found = AccountRepository(session).balances(accounts)
    assert found[accounts[0]] == Balance(2 * HUGE, 5, due_on=30)
    assert found[accounts[1]] == Balance(2 * HUGE, 7, due_on=30)
    assert {found[account] for account in accounts[2:900]} == {Balance(2 * HUGE, 7, due_on=30)}
    assert {found[account] for account in accounts[900:]} == {Balance(HUGE, 7, due_on=30)}


def test_nothing_is_written_where_nothing_changes(database: Database) -> None:
    with database.session.begin() as session:
        AccountRepository(session).add({("0x01", 1): Balance()})
        PositionRepository(session).shift({1: (0, 0)})
        add_all(session, Account, [])
    with database.session.begin() as session:
        assert (session.query(Account).all(), session.query(Position).all()) == ([], [])


def test_what_the_session_has_changed_itself_counts_too(database: Database) -> None:
    with database.session.begin() as session:
        PositionRepository(session).lock(1).position = -50
        account = Account(address="0x01", program=1, posted=5)
        session.add(account)
        PositionRepository(session).shift({1: (20, 3), 2: (-(10**27), 0)})
        AccountRepository(session).add({("0x01", 1): Balance(posted=1)})
        assert (account.posted, account.due_on) == (6, UNDATED), "the loaded model shows it"
        position = PositionRepository(session).get(1)
        assert (position.position, position.reserved, position.credit_limit) == (-30, 3, 0)
    with database.session.begin() as session:
        assert PositionRepository(session).get(2).position == -(10**27)
