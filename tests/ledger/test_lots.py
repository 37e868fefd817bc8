"""Lots: first-expiring first, restored by reversals, and always as many points as the chain says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.kit.database import Database
from clearing.kit.identity import SECONDS_A_DAY, NetworkIdentity
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.lots.replay import LotError, Replay
from clearing.ledger.lots.repository import LotRepository
from clearing.ledger.lots.service import LotService
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant
from tests.support.harness import Harness
from tests.support.ledger import CINE, FUEL, TARGETS, Ledger, address
from tests.support.ledger import store as store_entries
from tongdui.orders import Kind

ANN, BEN, CAT = address(1), address(2), address(3)
NETWORK = NetworkIdentity(31_337, "0x" + "11" * 20, 28_800)


def lots(ledger: Ledger, account: AccountKey) -> list[tuple[int, int]]:
    """(expiry day, points) of each of an account's lots."""
    return [(portion.origin.expiry_day, portion.points) for portion in replay(ledger).lots(account)]


def replay(ledger: Ledger) -> Replay:
    result = Replay(TARGETS)
    for entry, day in ledger.entries:
        result.apply(entry, day)
    return result


def test_points_that_expire_first_are_spent_first_and_those_that_never_do_last() -> None:
    ledger = Ledger()
    for day in (0, 300, 200, 400):
        ledger.issue(ANN, 10, day)
    ledger.burn(Kind.REDEEM, ANN, 25)
    assert lots(ledger, (ANN, FUEL)) == [(400, 5), (0, 10)]
    ledger.burn(Kind.SPEND, ANN, 10)
    assert lots(ledger, (ANN, FUEL)) == [(0, 5)]


def test_of_lots_that_expire_together_the_older_one_is_spent_first() -> None:
    ledger = Ledger()
    old, new = ledger.issue(ANN, 10, 200), ledger.issue(ANN, 10, 200)
    ledger.burn(Kind.REDEEM, ANN, 12)
    (left,) = replay(ledger).lots((ANN, FUEL))
    assert (left.origin.leaf, left.points) == (new.leaf(), 8)
    assert old.leaf() != new.leaf()


def test_a_refund_gives_back_the_original_expiry_and_a_partial_one_the_latest_of_what_was_spent() -> None:
    ledger = Ledger()
    ledger.issue(ANN, 10, 200)
    ledger.issue(ANN, 10, 300)
    ledger.issue(ANN, 10, 400)
    spent = ledger.burn(Kind.SPEND, ANN, 25)
    ledger.reverse(spent, 7)
    # As if only 18 had been spent.
    assert lots(ledger, (ANN, FUEL)) == [(300, 2), (400, 10)]
    ledger.reverse(spent, 18)
    assert lots(ledger, (ANN, FUEL)) == [(200, 10), (300, 10), (400, 10)]


def test_a_refund_of_an_exchange_takes_the_exchanged_points_and_not_older_ones() -> None:
    ledger = Ledger()
    ledger.issue(ANN, 30, 200)
    ledger.issue(ANN, 20, 150, program=CINE)
    exchanged = ledger.exchange(ANN, 30, expiry_day=500)
    assert lots(ledger, (ANN, CINE)) == [(150, 20), (500, 20)]
    ledger.reverse(exchanged, 30)
    assert lots(ledger, (ANN, CINE)) == [(150, 20)]
    assert lots(ledger, (ANN, FUEL)) == [(200, 30)]


def test_what_a_reversal_cannot_find_any_more_it_takes_from_the_first_expiring() -> None:
    ledger = Ledger()
    issued = ledger.issue(ANN, 10, 200)
    ledger.issue(ANN, 10, 300)
    ledger.issue(ANN, 10, 400)
    ledger.burn(Kind.REDEEM, ANN, 4)
    ledger.reverse(issued, 10)
    assert lots(ledger, (ANN, FUEL)) == [(300, 6), (400, 10)]


def test_given_points_keep_their_expiry_and_come_back_with_it() -> None:
    ledger = Ledger()
    ledger.issue(ANN, 10, 200)
    ledger.issue(ANN, 10, 300)
    ledger.issue(BEN, 12, 250)
    gift = ledger.transfer(ANN, BEN, 15)
    assert lots(ledger, (BEN, FUEL)) == [(200, 10), (250, 12), (300, 5)]
    ledger.transfer(BEN, CAT, 12)
    assert lots(ledger, (CAT, FUEL)) == [(200, 10), (250, 2)]
    ledger.reverse(gift, 15)  # ten of the fifteen went on to Cat, so Ben gives of his own
    assert lots(ledger, (ANN, FUEL)) == [(200, 10), (300, 10)]
    assert lots(ledger, (BEN, FUEL)) == []


def test_expired_points_are_not_spent_while_others_are_left_and_an_expiry_takes_them() -> None:
    ledger = Ledger()
    ledger.issue(ANN, 10, 200)
    ledger.issue(ANN, 10, 300)
    ledger.day = 200
    spent = ledger.burn(Kind.REDEEM, ANN, 6)
    assert lots(ledger, (ANN, FUEL)) == [(200, 10), (300, 4)]
    ledger.burn(Kind.EXPIRE, ANN, 10)
    assert lots(ledger, (ANN, FUEL)) == [(300, 4)]
    ledger.reverse(spent, 6)
    assert lots(ledger, (ANN, FUEL)) == [(300, 10)]


def test_entries_that_do_not_fit_together_are_refused() -> None:
    ledger = Ledger()
    ledger.issue(ANN, 10)
    ledger.burn(Kind.REDEEM, ANN, 11)
    with pytest.raises(LotError, match="1 points more"):
        replay(ledger)
    ledger = Ledger()
    ledger.reverse(Ledger().issue(ANN, 10), 5)
    with pytest.raises(LotError, match="is missing"):
        replay(ledger)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Any history that the chain would accept."""
    ledger = Ledger()
    members = (ANN, BEN, CAT)
    points = st.integers(1, 40)
    for _ in range(draw(st.integers(1, 25))):
        ledger.day += draw(st.integers(0, 3))
        member, program = draw(st.sampled_from(members)), draw(st.sampled_from((FUEL, CINE)))
        balance = ledger.balance(member, program)
        kind = draw(st.sampled_from(list(Kind)))
        if kind is Kind.ISSUE or not ledger.entries:
            ledger.issue(member, draw(points), draw(st.sampled_from([0, ledger.day + 1, ledger.day + 5])), program)
        elif kind is Kind.REVERSE:
            _maybe_reverse(draw, ledger)
        elif balance == 0:
            continue
        elif kind is Kind.TRANSFER:
            recipient = draw(st.sampled_from([other for other in members if other != member]))
            ledger.transfer(member, recipient, draw(st.integers(1, balance)), program)
        elif kind is Kind.EXCHANGE:
            if program == FUEL and balance >= 2:
                ledger.exchange(member, draw(st.integers(2, balance)), draw(st.sampled_from([0, ledger.day + 4])))
        else:
            program_of_kind = FUEL if kind is Kind.SPEND else program
            if ledger.balance(member, program_of_kind):
                burnt = draw(st.integers(1, ledger.balance(member, program_of_kind)))
                ledger.burn(kind, member, burnt, program_of_kind)
    return ledger


def _maybe_reverse(draw: st.DrawFn, ledger: Ledger) -> None:
    original, _ = draw(st.sampled_from(ledger.entries))
    left = original.points - ledger.reversed[original.leaf()]
    if original.kind == Kind.REVERSE or not left:
        return
    points = draw(st.integers(1, left))
    member, program, needed = ledger.taken_from(original, points)
    if ledger.balance(member, program) >= needed:
        ledger.reverse(original, points)


ACCOUNTS = list(itertools.product((ANN, BEN, CAT), (FUEL, CINE)))


@given(ledgers())
@settings(max_examples=150)
def test_the_lots_of_an_account_always_sum_up_to_its_balance(ledger: Ledger) -> None:
    result = replay(ledger)
    for account in ACCOUNTS:
        portions = result.lots(account)
        assert sum(portion.points for portion in portions) == ledger.balance(*account)
        assert all(portion.points > 0 for portion in portions)


@given(ledgers())
@settings(max_examples=100)
def test_a_full_refund_right_away_changes_no_lot(ledger: Ledger) -> None:
    for account in ACCOUNTS:
        balance, before = ledger.balance(*account), lots(ledger, account)
        if balance:
            spent = ledger.burn(Kind.REDEEM, account[0], balance, account[1])
            ledger.reverse(spent, balance)
            assert lots(ledger, account) == before


# -------------------------------------------------------------------- from the database


@pytest.fixture
def database(database_url: str) -> Iterable[Database]:
    database = Database(database_url)
    database.upgrade()
    yield database
    database.close()


def store(database: Database, ledger: Ledger) -> None:
    """Writes a ledger as the projector would."""
    with database.session.begin() as session:
        session.add_all(Merchant(number=number, id=f"mer_{number}", name=f"m{number}") for number in (1, 2))
        session.flush()
        session.add_all(_agreement(number, target) for number, target in TARGETS.items())
        store_entries(session, ledger)


def _agreement(number: int, target: int) -> Agreement:
    numbers = dict.fromkeys(
        ("initiators", "fee_bps", "lifetime_days", "valid_from", "valid_until", "rate_num", "rate_den"), 1
    )
    more = dict.fromkeys(("unit_price_micros", "max_points", "daily_cap", "ends_at"), 1)
    return Agreement(
        id=f"agr_{number}",
        number=number,
        state=AgreementState.ACTIVE,
        kind=number,
        source_merchant=1,
        target_merchant=2,
        source_program=FUEL,
        target_program=target,
        document=bytes(32),
        digest=bytes([number]) * 32,
        **numbers,
        **more,
    )


def a_long_story() -> Ledger:
    """Every kind, gifts of gifts, and a stranger whose points touch nobody else's."""
    ledger = Ledger()
    stranger = address(99)
    ledger.issue(stranger, 5, 110)
    ledger.issue(ANN, 50, 120)
    ledger.issue(ANN, 50, 130)
    gift = ledger.transfer(ANN, BEN, 60)
    ledger.transfer(BEN, CAT, 55)
    exchanged = ledger.exchange(CAT, 30, expiry_day=140)
    spent = ledger.burn(Kind.SPEND, CAT, 20)
    ledger.day = 125
    ledger.reverse(exchanged, 15)
    ledger.reverse(spent, 12)
    ledger.issue(BEN, 20, 150)
    ledger.reverse(gift, 20)
    ledger.burn(Kind.EXPIRE, CAT, 3)
    return ledger


def test_the_history_of_an_account_is_enough_to_know_its_lots(database: Database) -> None:
    ledger = a_long_story()
    store(database, ledger)
    whole = replay(ledger)
    with database.session() as session:
        service = LotService(session, network=NETWORK)
        for account in [*ACCOUNTS, (address(99), FUEL)]:
            expected = [(p.origin.leaf, p.origin.expiry_day, p.points) for p in whole.lots(account)]
            assert [(lot.leaf, lot.expiry_day, lot.points) for lot in service.of(account)] == expected
        history = LotRepository(session).history([(CAT, FUEL)])
        assert {address for address, _ in history.accounts} == {ANN, BEN, CAT}
        assert all(entry.member != address(99) for entry, _ in history.entries)


def test_who_has_points_that_expire_in_a_range_of_days_is_found_by_those_days(database: Database) -> None:
    ledger = a_long_story()
    store(database, ledger)
    with database.session() as session:
        repository = LotRepository(session)
        assert repository.accounts_expiring(111, 130) == {(ANN, FUEL)}
        assert repository.accounts_expiring(140, 140) == {(CAT, CINE)}
        assert repository.accounts_given_back(0) == {(ANN, FUEL), (BEN, FUEL), (CAT, FUEL)}
        service = LotService(session, network=NETWORK)
        found = service.expiring([(ANN, FUEL), (CAT, FUEL), (BEN, FUEL)], 1, 130)
        whole = replay(ledger)
        assert found == {
            account: sum(p.points for p in whole.lots(account) if 0 < p.origin.expiry_day <= 130)
            for account in [(ANN, FUEL), (CAT, FUEL), (BEN, FUEL)]
            if any(0 < p.origin.expiry_day <= 130 for p in whole.lots(account))
        }


def test_lots_follow_what_the_chain_settled(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 1_000)
    harness.settle()
    harness.exchange(member, 101)
    harness.redeem(member, 50, "FUEL")
    harness.settle()
    today = datetime.now(UTC)
    with harness.database.session() as session:
        holder = session.get_one(Member, member).address
        service = LotService(session, network=harness.network)
        assert [(lot.expiry_day, lot.points) for lot in service.of((holder, 1))] == [(0, 850)]
        (cine,) = service.of((holder, 2))
        assert cine.points == 90
        assert abs(cine.expiry_day - (today.timestamp() // SECONDS_A_DAY + 365)) <= 1
