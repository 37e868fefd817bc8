"""The auditor's lots: the same as the server's on any history, and what is wrong about how points expired."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from clearing.ledger.lots.replay import Replay
from tests.audit.rules.seen import block_of, rules_of, shown
from tests.ledger.test_lots import ACCOUNTS, ANN, BEN, a_long_story, histories
from tests.ledger.test_lots import replay as server_replay
from tests.support.entry_history import CINE, FUEL, KEEPING, EntryHistory
from tests.support.nightly import by_day
from tongdui.audit.findings import Finding, Place
from tongdui.audit.rules.lots import Age, Lots
from tongdui.audit.tables import Tables
from tongdui.orders import Kind

Left = dict[tuple[str, int], list[tuple[int, int, int, int]]]


def lots(watcher: Lots) -> Left:
    """(batch, index, expiry day, points) of each lot of each account."""
    return {
        account: [(one.batch, one.index, one.expiry_day, one.points) for one in watcher.lots_of(*account)]
        for account in ACCOUNTS
    }


def servers(replay: Replay) -> Left:
    return {
        account: [
            (one.origin.batch, one.origin.index, one.origin.expiry_day, one.points) for one in replay.lots(account)
        ]
        for account in ACCOUNTS
    }


def audited(history: EntryHistory, last_day: int = 0) -> list[Finding]:
    watcher = Lots(Tables())
    return [*shown(watcher, history), *watcher.at_end(block_of(last_day or history.day, number=99))]


# -------------------------------------------------------------------- the same lots as the server's


@given(histories(length=(1, 40)))
@settings(max_examples=by_day(100, at_night=2_000))
def test_auditor_and_server_work_out_the_same_lots(history: EntryHistory) -> None:
    watcher = Lots(Tables())
    shown(watcher, history)
    assert lots(watcher) == servers(server_replay(history))


@given(histories(length=(10, 40)))
@settings(max_examples=by_day(20, at_night=500))
def test_lots_that_lie_in_the_file_are_the_same(history: EntryHistory) -> None:
    tables = Tables(Path(":memory:"), most_in_memory=0)
    watcher = Lots(tables)
    shown(watcher, history, after_each=tables.make_space)
    assert lots(watcher) == servers(server_replay(history))
    tables.close()


def test_a_long_story_is_told_alike() -> None:
    watcher = Lots(Tables())
    shown(watcher, a_long_story())
    assert lots(watcher) == servers(server_replay(a_long_story()))


def test_lots_go_on_after_a_checkpoint(tmp_path: Path) -> None:
    history = a_long_story()
    half = len(history.entries) // 2
    parts = [EntryHistory(history.entries[:half]), EntryHistory(history.entries[half:])]
    originals = EntryHistory(history.entries)
    for part in parts:
        tables = Tables(tmp_path / "state")
        watcher = Lots(tables)
        shown(watcher, part, among=originals)
        tables.checkpoint()
        last = lots(watcher)
        tables.close()
    assert last == servers(server_replay(history))


# -------------------------------------------------------------------- what does not hold


def test_an_honest_history_is_found_to_be_one() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 300)
    history.burn(Kind.REDEEM, ANN, 4)
    history.day = 200
    history.burn(Kind.SPEND, ANN, 2, held_on=199)
    history.burn(Kind.EXPIRE, ANN, 4)
    history.transfer(ANN, BEN, 10)
    assert audited(history) == []


def test_points_that_are_expired_before_their_day_are_named() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(ANN, 10, 201)
    history.issue(ANN, 10)
    history.day = 200
    history.burn(Kind.EXPIRE, ANN, 25)
    (one,) = audited(history)
    assert one == Finding(
        "lots.expired_early",
        f"entry 0 of batch 2 ({ANN} in program 1)",
        "only points that were over on 1970-07-20",
        "expired 10 points that are over from 1970-07-21 on, 5 points that never expire",
        Place(2, f"0x{2:064x}", 2, 0),
    )


@pytest.mark.parametrize("kind", [Kind.REDEEM, Kind.SPEND, Kind.TRANSFER, Kind.EXCHANGE])
def test_points_that_are_over_must_not_be_used(kind: Kind) -> None:
    history = EntryHistory()
    history.issue(ANN, 9, 200)
    history.issue(ANN, 9, 300)
    history.day = 201
    if kind == Kind.TRANSFER:
        history.transfer(ANN, BEN, 12)
    elif kind == Kind.EXCHANGE:
        history.exchange(ANN, 12)
    else:
        history.burn(kind, ANN, 12)
    (one,) = audited(history)
    assert (one.rule, one.place.index) == ("lots.expired_spent", 2)
    assert one.expected == "only points that were not over on 1970-07-20"
    assert one.found == f"{kind.label} of 3 points that are over from 1970-07-20 on"


def test_an_order_from_before_midnight_may_take_what_died_at_midnight() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.day = 200
    history.burn(Kind.REDEEM, ANN, 10)
    assert audited(history) == []


def test_a_hold_takes_what_was_alive_on_its_day_and_nothing_that_was_over_then() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.day = 205
    history.burn(Kind.REDEEM, ANN, 5, held_on=199)
    assert rules_of(shown(Lots(Tables()), history)) == []
    history.burn(Kind.REDEEM, ANN, 1, held_on=200)
    (one,) = shown(Lots(Tables()), history)
    assert (one.rule, one.expected) == ("lots.expired_spent", "only points that were not over on 1970-07-20")


def test_a_hold_that_is_too_old_hides_nothing() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.day = 210
    history.burn(Kind.REDEEM, ANN, 10, held_on=110)
    (one,) = audited(history)
    assert (one.rule, one.found) == ("lots.old_hold", "the entry says that the points were held on 1970-04-21")
    assert one.expected == "a hold of 1970-07-23 or later, as the block is of 1970-07-30"


def test_points_that_nobody_expires_are_a_liability_that_should_be_gone() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(BEN, 20, 201)
    history.issue(BEN, 5, 300)
    history.issue(BEN, 7, 200, program=CINE)
    assert audited(history, last_day=203) == []
    first, second = audited(history, last_day=204)
    assert (first.rule, first.subject, first.place) == ("lots.not_expired", "program 1", Place(99))
    assert first.found.startswith(f"10 points of 1 account, the oldest over since 1970-07-20, such as 10 of {ANN}")
    assert second.subject == "program 2"
    (first, _) = audited(history, last_day=205)
    assert first.found.startswith(
        f"30 points of 2 accounts, the oldest over since 1970-07-20, such as 10 of {ANN}, 20 of {BEN}"
    )


def test_points_that_are_expired_late_are_counted_by_program() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(BEN, 10, 202)
    history.day = 203
    history.burn(Kind.EXPIRE, ANN, 4)
    history.day = 206
    history.burn(Kind.EXPIRE, ANN, 6)
    history.burn(Kind.EXPIRE, BEN, 10)
    (one,) = audited(history)
    assert (one.rule, one.subject) == ("lots.expired_late", "program 1")
    assert one.found == "16 points were expired later (entries: 2), at worst 6 days after; first here"
    assert (one.place.batch, one.place.index) == (2, 0)


def test_points_that_come_back_after_their_day_have_some_days_from_then_on() -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    spent = history.burn(Kind.SPEND, ANN, 10)
    history.day = 300
    history.reverse(spent, 10)
    assert audited(history, last_day=303) == []
    assert rules_of(audited(history, last_day=304)) == ["lots.not_expired"]
    history.day = 302
    history.burn(Kind.EXPIRE, ANN, 10)
    assert audited(history) == []


def test_points_that_an_account_never_had_are_missing() -> None:
    history = EntryHistory()
    issued = history.issue(ANN, 10)
    history.burn(Kind.REDEEM, ANN, 12)
    history.reverse(issued, 10)
    history.reverse(EntryHistory(first=9).issue(BEN, 1), 1)
    first, second, third = audited(history)
    assert rules_of([first, second, third]) == ["lots.missing"] * 3
    assert (first.found, second.found) == ("2 points are missing", "10 points are missing")
    assert third.found == "nobody knows it"


# -------------------------------------------------------------------- for the report


def test_open_points_are_told_by_the_months_of_making_and_of_expiry() -> None:
    history = EntryHistory(day=20_783)  # 2026-11-26
    history.issue(ANN, 10, 20_850)
    history.issue(BEN, 5, 20_849)
    history.issue(BEN, 30)
    history.day = 20_790
    history.exchange(BEN, 3, expiry_day=2**32 - 1, agreement=KEEPING)
    history.exchange(BEN, 30, expiry_day=2**32 - 1)
    watcher = Lots(Tables())
    shown(watcher, history)
    assert watcher.open_points() == {
        Age(FUEL, "2026-11", "2027-02"): 10,
        Age(FUEL, "2026-11", ""): 2,
        Age(CINE, "2026-12", "2027-01"): 2,
        Age(CINE, "2026-12", "later"): 20,
    }
    (lot,) = watcher.lots_of(ANN, FUEL)
    assert (lot.points, lot.expiry_day, lot.made_on) == (10, 20_850, 20_783)
