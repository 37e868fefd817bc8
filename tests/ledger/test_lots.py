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
from tests.support.entry_history import CINE, EXCHANGE, FUEL, KEEPING, TARGETS, EntryHistory, address
from tests.support.entry_history import store as store_entries
from tests.support.harness import Harness
from tests.support.nightly import by_day
from tongdui.orders import Kind

ANN, BEN, CAT = address(1), address(2), address(3)
NETWORK = NetworkIdentity(31_337, "0x" + "11" * 20, 28_800)


def lots(history: EntryHistory, account: AccountKey) -> list[tuple[int, int]]:
    """(expiry day, points) of each of an account's lots."""
    return [(portion.origin.expiry_day, portion.points) for portion in replay(history).lots(account)]


def replay(history: EntryHistory) -> Replay:
    result = Replay(TARGETS, keeps_expiry={KEEPING})
    for entry, day in history.entries:
        result.apply(entry, day)
    return result


def test_points_that_expire_first_are_spent_first_and_those_that_never_do_last() -> None:
    history = EntryHistory()
    for day in (0, 300, 200, 400):
        history.issue(ANN, 10, day)
    history.burn(Kind.REDEEM, ANN, 25)
    assert lots(history, (ANN, FUEL)) == [(400, 5), (0, 10)]
    history.burn(Kind.SPEND, ANN, 10)
    assert lots(history, (ANN, FUEL)) == [(0, 5)]


def test_of_lots_that_expire_together_the_older_one_is_spent_first() -> None:
    history = EntryHistory()
    old, new = history.issue(ANN, 10, 200), history.issue(ANN, 10, 200)
    history.burn(Kind.REDEEM, ANN, 12)
    (left,) = replay(history).lots((ANN, FUEL))
    assert (left.origin.leaf, left.points) == (new.leaf(), 8)
    assert old.leaf() != new.leaf()


def test_a_refund_gives_back_the_original_expiry_and_a_partial_one_the_latest_of_what_was_spent() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.issue(ANN, 10, 400)
    spent = history.burn(Kind.SPEND, ANN, 25)
    history.reverse(spent, 7)
    # As if only 18 had been spent.
    assert lots(history, (ANN, FUEL)) == [(300, 2), (400, 10)]
    history.reverse(spent, 18)
    assert lots(history, (ANN, FUEL)) == [(200, 10), (300, 10), (400, 10)]


def test_a_refund_of_an_exchange_takes_the_exchanged_points_and_not_older_ones() -> None:
    history = EntryHistory()
    history.issue(ANN, 30, 200)
    history.issue(ANN, 20, 150, program=CINE)
    exchanged = history.exchange(ANN, 30, expiry_day=500)
    assert lots(history, (ANN, CINE)) == [(150, 20), (500, 20)]
    history.reverse(exchanged, 30)
    assert lots(history, (ANN, CINE)) == [(150, 20)]
    assert lots(history, (ANN, FUEL)) == [(200, 30)]


def test_what_a_reversal_cannot_find_any_more_it_takes_from_the_first_expiring() -> None:
    history = EntryHistory()
    issued = history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.issue(ANN, 10, 400)
    history.burn(Kind.REDEEM, ANN, 4)
    history.reverse(issued, 10)
    assert lots(history, (ANN, FUEL)) == [(300, 6), (400, 10)]


def test_given_points_keep_their_expiry_and_come_back_with_it() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.issue(BEN, 12, 250)
    gift = history.transfer(ANN, BEN, 15)
    assert lots(history, (BEN, FUEL)) == [(200, 10), (250, 12), (300, 5)]
    history.transfer(BEN, CAT, 12)
    assert lots(history, (CAT, FUEL)) == [(200, 10), (250, 2)]
    history.reverse(gift, 15)  # ten of the fifteen went on to Cat, so Ben gives of his own
    assert lots(history, (ANN, FUEL)) == [(200, 10), (300, 10)]
    assert lots(history, (BEN, FUEL)) == []


def test_expired_points_are_not_spent_while_others_are_left_and_an_expiry_takes_them() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.day = 200
    spent = history.burn(Kind.REDEEM, ANN, 6)
    assert lots(history, (ANN, FUEL)) == [(200, 10), (300, 4)]
    history.burn(Kind.EXPIRE, ANN, 10)
    assert lots(history, (ANN, FUEL)) == [(300, 4)]
    history.reverse(spent, 6)
    assert lots(history, (ANN, FUEL)) == [(300, 10)]


def test_a_captured_hold_takes_what_was_alive_on_its_day_and_nothing_alive_in_its_place() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 150)
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.day = 200
    for kind in (Kind.REDEEM, Kind.SPEND):
        history.burn(kind, ANN, 4, held_on=199)
    history.exchange(ANN, 3, held_on=199)
    assert lots(history, (ANN, FUEL)) == [(150, 10), (300, 9)]  # the lot of day 200 first, then the live one
    history.burn(Kind.REDEEM, ANN, 5, held_on=149)
    assert lots(history, (ANN, FUEL)) == [(150, 5), (300, 9)]


def test_points_that_were_over_on_the_holds_own_day_go_only_when_no_others_are_left() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 150)
    history.issue(ANN, 10, 200)
    history.day = 200
    history.burn(Kind.REDEEM, ANN, 12, held_on=180)
    assert lots(history, (ANN, FUEL)) == [(150, 8)]


@pytest.mark.parametrize("link", [201, 2**200], ids=["a day to come", "no day at all"])
def test_a_link_that_is_no_day_up_to_the_blocks_own_counts_as_none(link: int) -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.day = 200
    history.burn(Kind.REDEEM, ANN, 6, held_on=link)
    assert lots(history, (ANN, FUEL)) == [(200, 10), (300, 4)]


def test_a_refund_of_a_captured_hold_gives_back_what_the_hold_had_taken() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.day = 200
    spent = history.burn(Kind.REDEEM, ANN, 15, held_on=199)
    history.reverse(spent, 5)
    assert lots(history, (ANN, FUEL)) == [(300, 10)]
    history.reverse(spent, 10)
    assert lots(history, (ANN, FUEL)) == [(200, 10), (300, 10)]


def test_exchanged_points_that_keep_their_expiry_are_over_when_the_source_would_have_been() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.issue(ANN, 10)
    exchanged = history.exchange(ANN, 30, expiry_day=400, agreement=KEEPING)
    # 10 of 30 points are worth 6.67, 20 are worth 13.33, and 30 are worth 20.
    assert lots(history, (ANN, CINE)) == [(200, 6), (300, 7), (400, 7)]
    history.reverse(exchanged, 12)
    assert lots(history, (ANN, FUEL)) == [(300, 2), (0, 10)]
    assert lots(history, (ANN, CINE)) == [(200, 6), (300, 6)]
    history.reverse(exchanged, 18)
    assert lots(history, (ANN, FUEL)) == [(200, 10), (300, 10), (0, 10)]
    assert lots(history, (ANN, CINE)) == []


def test_exchanged_points_expire_with_their_agreement_where_that_is_earlier_and_never_if_nothing_does() -> None:
    history = EntryHistory()
    history.issue(ANN, 9, 300)
    history.issue(ANN, 9)
    history.exchange(ANN, 9, expiry_day=250, agreement=KEEPING)
    history.exchange(ANN, 9, agreement=KEEPING)
    assert lots(history, (ANN, CINE)) == [(250, 6), (0, 6)]


def test_a_share_of_no_points_makes_no_lot_and_the_shares_are_the_whole() -> None:
    history = EntryHistory()
    for day in range(201, 207):
        history.issue(ANN, 1, day)
    history.exchange(ANN, 6, agreement=KEEPING)
    assert lots(history, (ANN, CINE)) == [(202, 1), (203, 1), (205, 1), (206, 1)]


def test_entries_that_do_not_fit_together_are_refused() -> None:
    history = EntryHistory()
    history.issue(ANN, 10)
    history.burn(Kind.REDEEM, ANN, 11)
    with pytest.raises(LotError, match="1 points more"):
        replay(history)
    history = EntryHistory()
    history.reverse(EntryHistory().issue(ANN, 10), 5)
    with pytest.raises(LotError, match="is missing"):
        replay(history)


HELD_ON = st.sampled_from([lambda _: 0, lambda day: day, lambda day: day - 2, lambda day: day + 3])
"""From the day of a block to the day that a captured hold says."""


@st.composite
def histories(draw: st.DrawFn, length: tuple[int, int] = (1, 25)) -> EntryHistory:
    """Any history that the chain would accept."""
    history = EntryHistory()
    members = (ANN, BEN, CAT)
    points = st.integers(1, 40)
    for _ in range(draw(st.integers(*length))):
        history.day += draw(st.integers(0, 3))
        member, program = draw(st.sampled_from(members)), draw(st.sampled_from((FUEL, CINE)))
        balance = history.balance(member, program)
        kind = draw(st.sampled_from(list(Kind)))
        if kind is Kind.ISSUE or not history.entries:
            history.issue(member, draw(points), draw(st.sampled_from([0, history.day + 1, history.day + 5])), program)
        elif kind is Kind.REVERSE:
            _maybe_reverse(draw, history)
        elif balance == 0:
            continue
        elif kind is Kind.TRANSFER:
            recipient = draw(st.sampled_from([other for other in members if other != member]))
            history.transfer(member, recipient, draw(st.integers(1, balance)), program)
        elif kind is Kind.EXCHANGE:
            if program == FUEL and balance >= 2:
                history.exchange(
                    member,
                    draw(st.integers(2, balance)),
                    draw(st.sampled_from([0, history.day + 4])),
                    agreement=draw(st.sampled_from([EXCHANGE, KEEPING])),
                    held_on=draw(HELD_ON)(history.day),
                )
        else:
            program_of_kind = FUEL if kind is Kind.SPEND else program
            if history.balance(member, program_of_kind):
                burnt = draw(st.integers(1, history.balance(member, program_of_kind)))
                held_on = 0 if kind is Kind.EXPIRE else draw(HELD_ON)(history.day)
                history.burn(kind, member, burnt, program_of_kind, held_on=held_on)
    return history


def _maybe_reverse(draw: st.DrawFn, history: EntryHistory) -> None:
    original, _ = draw(st.sampled_from(history.entries))
    left = original.points - history.reversed[original.leaf()]
    if original.kind == Kind.REVERSE or not left:
        return
    points = draw(st.integers(1, left))
    member, program, needed = history.taken_from(original, points)
    if history.balance(member, program) >= needed:
        history.reverse(original, points)


ACCOUNTS = list(itertools.product((ANN, BEN, CAT), (FUEL, CINE)))


@given(histories())
@settings(max_examples=by_day(60, at_night=1_000))
def test_the_lots_of_an_account_always_sum_up_to_its_balance(history: EntryHistory) -> None:
    result = replay(history)
    for account in ACCOUNTS:
        portions = result.lots(account)
        assert sum(portion.points for portion in portions) == history.balance(*account)
        assert all(portion.points > 0 for portion in portions)


@given(histories())
@settings(max_examples=by_day(40, at_night=1_000))
def test_a_full_refund_right_away_changes_no_lot(history: EntryHistory) -> None:
    for account in ACCOUNTS:
        balance, before = history.balance(*account), lots(history, account)
        if balance:
            spent = history.burn(Kind.REDEEM, account[0], balance, account[1])
            history.reverse(spent, balance)
            assert lots(history, account) == before


@given(histories())
@settings(max_examples=by_day(40, at_night=1_000))
def test_exchanged_points_that_keep_their_expiry_never_outlive_what_they_were_made_of(history: EntryHistory) -> None:
    result = replay(history)
    exchanges = {entry.leaf(): entry for entry, _ in history.entries if entry.agreement == KEEPING}
    longest = max((entry.expiry_day or 10**9 for entry, _ in history.entries if entry.kind == Kind.ISSUE), default=0)
    for account in ACCOUNTS:
        for portion in result.lots(account):
            if made_by := exchanges.get(portion.origin.leaf):
                assert (portion.origin.expiry_day or 10**9) <= min(longest, made_by.expiry_day or 10**9)


@given(histories(), st.integers(1, 40))
@settings(max_examples=by_day(40, at_night=1_000))
def test_what_was_alive_on_a_holds_day_is_captured_before_anything_else(history: EntryHistory, points: int) -> None:
    account = (ANN, FUEL)
    taken_on, balance = history.day, history.balance(*account)
    before = replay(history).lots(account)
    points = min(points, balance)
    if not points:
        return
    history.day += 3
    captured = history.burn(Kind.REDEEM, ANN, points, held_on=taken_on)
    alive = sum(portion.points for portion in before if not portion.origin.is_over(taken_on))
    taken = replay(history).taken_by(captured.leaf())
    assert sum(portion.points for portion in taken if not portion.origin.is_over(taken_on)) == min(points, alive)
    # and of those, the first to expire: none is left that would have come before one that was taken
    last = max((portion.origin for portion in taken if not portion.origin.is_over(taken_on)), default=None)
    left = [p.origin for p in replay(history).lots(account) if not p.origin.is_over(taken_on)]
    assert last is None or all(origin >= last for origin in left)


# -------------------------------------------------------------------- from the database


@pytest.fixture
def database(database_url: str) -> Iterable[Database]:
    database = Database(database_url)
    database.upgrade()
    yield database
    database.close()


def store(database: Database, history: EntryHistory) -> None:
    """Writes a history as the projector would."""
    with database.session.begin() as session:
        session.add_all(Merchant(number=number, id=f"mer_{number}", name=f"m{number}") for number in (1, 2))
        session.flush()
        session.add_all(_agreement(number, target) for number, target in TARGETS.items())
        store_entries(session, history)


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
        keep_expiry=number == KEEPING,
        document=bytes(32),
        digest=bytes([number]) * 32,
        **numbers,
        **more,
    )


def a_long_story() -> EntryHistory:
    """Every kind, gifts of gifts, and a stranger whose points touch nobody else's."""
    history = EntryHistory()
    stranger = address(99)
    history.issue(stranger, 5, 110)
    history.issue(ANN, 50, 120)
    history.issue(ANN, 50, 130)
    gift = history.transfer(ANN, BEN, 60)
    history.transfer(BEN, CAT, 55)
    exchanged = history.exchange(CAT, 30, expiry_day=140)
    history.issue(BEN, 9, 160)
    history.exchange(BEN, 9, agreement=KEEPING)
    history.transfer(BEN, ANN, 3, program=CINE)
    spent = history.burn(Kind.SPEND, CAT, 20)
    history.day = 125
    history.reverse(exchanged, 15)
    history.reverse(spent, 12)
    history.issue(BEN, 20, 150)
    history.reverse(gift, 20)
    history.burn(Kind.EXPIRE, CAT, 3)
    return history


def test_the_history_of_an_account_is_enough_to_know_its_lots(database: Database) -> None:
    history = a_long_story()
    store(database, history)
    whole = replay(history)
    with database.session() as session:
        service = LotService(session, network=NETWORK)
        for account in [*ACCOUNTS, (address(99), FUEL)]:
            expected = [(p.origin.leaf, p.origin.expiry_day, p.points) for p in whole.lots(account)]
            assert [(lot.leaf, lot.expiry_day, lot.points) for lot in service.of(account)] == expected
        history = LotRepository(session).history([CAT])
        assert set(history.start.last_batches) == {ANN, BEN, CAT}
        assert all(posting.entry.member != address(99) for posting in history.postings)


def test_who_has_points_that_expire_on_a_day_is_found_by_that_day(database: Database) -> None:
    history = a_long_story()
    store(database, history)
    with database.session() as session:
        repository = LotRepository(session)
        gifts = {(ANN, FUEL), (BEN, FUEL), (CAT, FUEL)}
        exchanged = {(BEN, CINE), (ANN, CINE)}
        members = {ANN, BEN, CAT}
        # Ann's went on to Ben, and from there to Cat
        assert repository.accounts_expiring(120, members) == gifts | exchanged
        assert repository.accounts_expiring(120, {BEN, CAT}) == set()
        assert repository.accounts_expiring(150, members) == {(BEN, FUEL), (CAT, FUEL)} | exchanged
        assert repository.accounts_expiring(140, members) == {(CAT, CINE)}
        assert repository.addresses_given(120, "", 2) == [ANN]
        assert repository.addresses_given(120, ANN, 2) == []


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
