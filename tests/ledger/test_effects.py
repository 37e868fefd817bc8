"""What entries change in positions and daily caps, and that statements tell it in the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from clearing.kit.database import Database
from clearing.ledger.journal.effects import Effects
from clearing.ledger.journal.service import JournalService
from clearing.oversight.statements.builder import StatementBuilder
from tests.ledger.test_lots import store
from tests.support.entry_history import EXCHANGE, FUEL, ROUTES, EntryHistory, address
from tongdui.receipts import Entry

ANN = address(1)
TODAY = 20_000
SOURCE, TARGET, OPERATOR = 1, 2, 0


@pytest.fixture
def database(database_url: str) -> Iterable[Database]:
    database = Database(database_url)
    database.upgrade()
    yield database
    database.close()


@pytest.mark.parametrize(("day_of_original", "given_back"), [(TODAY, 40), (TODAY - 1, 0)])
def test_a_reversal_gives_the_cap_back_on_the_day_of_its_original(
    database: Database, day_of_original: int, given_back: int
) -> None:
    history = EntryHistory(day=day_of_original)
    original = history.exchange(ANN, 90)
    history.day = TODAY
    undone = history.reverse(original, 40)
    effects = _effects(database, history, [undone])
    assert effects.uses.get(EXCHANGE, 0) == -given_back
    assert effects.negated().uses.get(EXCHANGE, 0) == given_back


def test_an_original_may_be_in_the_block_of_its_reversal(database: Database) -> None:
    history = EntryHistory(day=TODAY)
    original = history.exchange(ANN, 90)
    assert _effects(database, history, [original, history.reverse(original, 90)]).uses == {EXCHANGE: 0}


def test_the_fee_of_a_reversal_flows_back_with_the_settlement() -> None:
    original, undone = _undone_by_the_target()
    originals = {original.leaf(): original}
    assert Effects.of([original], ROUTES, originals).micros == {OPERATOR: 7, SOURCE: -607, TARGET: 600}
    assert Effects.of([undone], ROUTES, originals).micros == {SOURCE: 607, TARGET: -607}


def test_statements_show_who_bore_the_fee() -> None:
    original, undone = _undone_by_the_target()
    originals = {original.leaf(): original}
    builder = StatementBuilder(ROUTES, {FUEL: SOURCE})
    for entry in (original, undone):
        builder.add_entry(entry, originals)
    effects = Effects.of([original, undone], ROUTES, originals)
    assert {merchant: day.net for merchant, day in builder.days.items()} == effects.micros
    back = ("reverse", "exchange", FUEL, EXCHANGE)
    money = {
        merchant: (line.received, line.paid, line.fees_received, line.fees_paid)
        for merchant, day in builder.days.items()
        if (line := day.lines.get(back))
    }
    assert money == {SOURCE: (600, 0, 7, 0), TARGET: (0, 600, 0, 7)}


def _undone_by_the_target() -> tuple[Entry, Entry]:
    """An exchange that the target side began and undid, as the contract posts them."""
    history = EntryHistory()
    original = dataclasses.replace(history.exchange(ANN, 90), merchant=TARGET, settled=600, fee=7)
    return original, dataclasses.replace(history.reverse(original, 90), merchant=TARGET, settled=600, fee=7)


def _effects(database: Database, history: EntryHistory, entries: list[Entry]) -> Effects:
    """What these entries of today's block change, with the whole history in the database."""
    store(database, history)
    with database.session.begin() as session:
        journal = JournalService(session)
        return journal.effects_of(entries, TODAY, journal.originals(entries))
