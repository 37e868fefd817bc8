"""Transactions that meet lock rows in one order, so none of them has to die (docs/decisions/0043-one-order-of-locks.md)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit import metrics
from clearing.kit.clock import MovableClock
from clearing.kit.errors import ClearingError
from clearing.kit.rollbacks import repeated, transact
from clearing.kit.viewer import Viewer
from clearing.ordering.erasure.service import ErasureService
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import OrderState
from clearing.parties.agreements.usability import NamedAgreement
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from scripts.dev.services import Anvil, Postgres
from tests.conftest import Migrated
from tests.ordering.test_holds import capture, hold
from tests.ordering.test_merges import confirm, go_round, merge, propose
from tests.support.chainless import ChainlessNetwork
from tests.support.collisions import collide, locks_in_order, small_deadlock_timeout
from tests.support.harness import Harness
from tongdui.encoding import hex_of, keccak256

_numbers = itertools.count()
ACCOUNTS = "FROM accounts.* FOR UPDATE"
POSITIONS = "FROM positions.* FOR UPDATE"


@pytest.fixture
def network(own_chain: Anvil, migrated: Migrated, tmp_path: Path, clock: MovableClock) -> Iterator[Harness]:
    """A network on PostgreSQL: SQLite has one writer, and no deadlocks."""
    found = Harness(migrated("postgresql", tmp_path), own_chain.url, tmp_path, clock)
    found.onboard()
    yield found
    found.close()


@pytest.fixture
def still(
    postgres_server: Postgres, prepared_template: str, tmp_path: Path, clock: MovableClock
) -> Iterator[ChainlessNetwork]:
    """The same without a chain."""
    url = postgres_server.new_database(f"{prepared_template}_lock_order_{next(_numbers)}", prepared_template)
    found = ChainlessNetwork(url, tmp_path, clock)
    yield found
    found.close()


def deposit(network: Harness, merchant: int, reference: str) -> None:
    with network.database.session.begin() as session:
        arguments = [merchant, 1_000, hex_of(keccak256(reference.encode()))]
        request_call(session, "treasury", "deposit", arguments, "")


def mine_together(network: Harness, act: Callable[[], object]) -> None:
    """Lets one block contain all that is sent meanwhile."""
    network.client.call("evm_setAutomine", False)
    act()
    network.client.call("evm_mine")
    network.client.call("evm_setAutomine", True)


def send_all(network: Harness) -> None:
    network.sequencer.sign_batch()
    network.sequencer.send_due()
    network.signer.sign_pending()
    network.signer.send_due()


# -------------------------------------------------------------------- two paths that meet


def test_a_block_of_deposits_and_entries_meets_the_acceptance_of_an_order(network: Harness) -> None:
    """The deposits change the positions that the order pays from, the entries change the account that it draws on."""
    member = network.member()
    network.issue(member, 1_000)
    network.settle()
    first = network.exchange(member, 100)
    for number, merchant in enumerate((2, 1)):
        deposit(network, merchant, f"later-{number}")
    mine_together(network, lambda: send_all(network))
    later: list[str] = []
    collide(
        network.database,
        lambda: later.append(network.exchange(member, 50)),
        network.projector.step,
        before=POSITIONS,
    )
    network.settle()
    assert [network.order(order).state for order in (first, *later)] == [OrderState.SETTLED] * 2
    network.check()


def test_a_block_that_falls_out_meets_the_acceptance_of_an_order(network: Harness) -> None:
    member = network.member()
    network.issue(member, 1_000)
    network.settle()
    before = network.client.call("evm_snapshot")
    order = network.exchange(member, 100)
    deposit(network, 1, "taken back")
    mine_together(network, lambda: send_all(network))
    network.projector.step()
    assert network.order(order).state is OrderState.SETTLED
    network.client.call("evm_revert", before)
    collide(network.database, lambda: network.exchange(member, 50), network.projector.step, before=POSITIONS)
    network.settle()
    assert network.order(order).state is OrderState.SETTLED
    network.check()


def test_a_merge_meets_a_reversal_of_the_members_movement(network: Harness) -> None:
    old, new = network.member(), network.member()
    order = network.issue(old, 100)
    network.settle()
    proposed = propose(network, old, new)

    def reverse() -> None:
        with suppress(ClearingError):  # whichever comes first, both may be right
            network.reverse(1, order, 40)

    collide(network.database, lambda: confirm(network, proposed), reverse, before="^UPDATE instructions")
    network.settle()
    go_round(network)
    network.settle()
    network.check()


def hold_by_code(network: Harness, code: str) -> None:
    with network.database.session.begin() as session, suppress(ClearingError):
        HoldService(session, network=network.network).create(
            session.get_one(Merchant, 1),
            NamedAgreement(source_program="FUEL", program_field="program"),
            member=None,
            member_code=code,
            points=10,
            seconds=600,
            most_seconds=600,
            reference=None,
            actor="till",
        )


def code_of(network: Harness, member: str) -> str:
    with network.database.session.begin() as session:
        codes = MemberCodeService(session)
        merchant = session.get_one(Merchant, 1)
        _, shown = codes.create(merchant, member, points=100, program=None, presenter=None, seconds=300, actor="app")
        return shown


def erase(network: Harness, member: str) -> None:
    with network.database.session.begin() as session, suppress(ClearingError):
        service = ErasureService(session, network=network.network)
        service.erase(Viewer(), member, forfeit_points=True, actor="test")


def test_a_merge_meets_a_till_with_the_members_code(still: ChainlessNetwork) -> None:
    old, new = still.member(), still.member()
    still.give(old, 100)
    proposed, code = propose(still, old, new), code_of(still, old)

    def merge_now() -> None:
        with suppress(ClearingError):
            confirm(still, proposed)

    collide(still.database, lambda: hold_by_code(still, code), merge_now, before=ACCOUNTS)


def test_an_erasure_meets_a_till_with_the_members_code(still: ChainlessNetwork) -> None:
    member = still.member()
    still.give(member, 100)
    code = code_of(still, member)
    collide(still.database, lambda: hold_by_code(still, code), lambda: erase(still, member), before=ACCOUNTS)


def test_an_erasure_meets_a_merge(still: ChainlessNetwork) -> None:
    old, new = still.member(), still.member()
    still.give(old, 100)
    proposed = propose(still, old, new)
    collide(still.database, lambda: confirm(still, proposed), lambda: erase(still, old), before=ACCOUNTS)


# -------------------------------------------------------------------- what all of them do


def test_every_transaction_locks_tables_in_the_agreed_order(network: Harness) -> None:
    with locks_in_order(network.database) as seen:
        one, other = network.member(), network.member()
        issued = network.issue(one, 1_000)
        network.settle()
        held = hold(network, one, 50)
        exchanged = network.exchange(one, 100)
        deposit(network, 1, "in order")
        mine_together(network, lambda: send_all(network))
        network.settle()
        capture(network, held, 20)
        network.transfer(one, other, 30)
        network.reverse(2, exchanged, 10)
        before = network.client.call("evm_snapshot")
        network.settle()
        network.acceptor()
        network.client.call("evm_revert", before)
        network.settle()
        network.reverse(1, issued, 5)
        network.settle()
        network.send("pauser", "pause")
        network.settle()
        network.issue(one, 1)
        network.agree(3)
        mine_together(network, lambda: send_all(network))  # the batch is reverted, the agreement registered
        network.projector.step()
        network.send("pauser", "unpause")
        network.settle()
        hold_by_code(network, code_of(network, one))
        merge(network, other, one)
        go_round(network)
        network.settle()
        go_round(network)
        erase(network, one)
    assert {("merchants", "accounts"), ("accounts", "positions"), ("orders", "accounts")} <= seen
    assert {("transactions", "merchants"), ("transactions", "agreements")} <= seen
    network.check()


def test_rows_that_others_may_store_too_are_stored_in_one_order(still: ChainlessNetwork) -> None:
    """Whoever stores the same references, or nonces, waits for the first: never both for each other."""
    member = still.member()
    references = ["c", "a", "b"]
    still.accept(1, [IssueRequest(member=member, points=1, program="FUEL", reference=one) for one in references])
    with still.database.reading() as session:
        stored = session.scalars(text("SELECT reference FROM instructions ORDER BY ctid")).all()
        items = session.scalars(text("SELECT reference FROM instructions ORDER BY item")).all()
    assert (stored, items) == (sorted(references), references)


# -------------------------------------------------------------------- and if they do not


def test_a_transaction_that_loses_a_deadlock_is_done_again(still: ChainlessNetwork) -> None:
    both = threading.Barrier(2)
    attempts: list[int] = []

    def lock_both(merchants: tuple[int, int]) -> None:
        met: list[bool] = []

        def work(session: Session) -> None:
            small_deadlock_timeout(session)
            attempts.append(merchants[0])
            MerchantRepository(session).lock(merchants[0])
            if not met:
                met.append(True)
                both.wait(30)
            MerchantRepository(session).lock(merchants[1])

        transact(still.database, work)

    before = metrics.ROLLED_BACK.labels("deadlock")._value.get()
    threads = [threading.Thread(target=lock_both, args=(order,)) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(attempts) == 3, "one of the two came twice"
    assert metrics.ROLLED_BACK.labels("deadlock")._value.get() == before + 1


@pytest.mark.parametrize(("code", "times"), [("40001", 3), ("40P01", 3), ("23505", 1), ("57014", 1)])
def test_only_what_the_database_rolled_back_by_itself_is_done_again(
    still: ChainlessNetwork, code: str, times: int
) -> None:
    attempts: list[str] = []

    def fail() -> None:
        attempts.append("made")
        with still.database.session.begin() as session:
            session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"))

    with pytest.raises(Exception, match="no"):
        repeated(fail, start_over=lambda: attempts.append("forgotten"))
    assert attempts == ["made", "forgotten"] * (times - 1) + ["made"]
