"""A read model that is rebuilt from the chain is the same, bit for bit."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from clearing.kit.database import Database
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Entry
from clearing.ledger.settlement.models import Position
from clearing.oversight.reconciliation.rebuild import Digest, NotEmpty, RebuildService
from clearing.parties.merchants.models import Merchant
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tests.support.traffic import trade


def test_a_rebuilt_read_model_is_the_same_bit_for_bit(harness: Harness, empty_database: Database) -> None:
    trade(harness)
    ours, theirs = _rebuild(harness, empty_database)
    assert ours == theirs
    rows = {table.table: table.rows for table in ours.tables}
    assert (rows["entries"], rows["rejections"], rows["accounts"], rows["positions"]) == (6, 1, 3, 3)
    empty_database.close()


def test_a_rebuilt_read_model_is_the_same_after_reorganisations(
    lone_harness: Harness, own_chain: Anvil, empty_database: Database
) -> None:
    harness = lone_harness
    member = trade(harness)
    for depth in (2, harness.client.head() - 8, 1):
        own_chain.reorganise(depth)
        harness.settle()
        harness.exchange(member, 30)
        harness.settle()
    ours, theirs = _rebuild(harness, empty_database)
    assert ours == theirs
    empty_database.close()


def test_an_error_in_the_live_database_changes_its_tables_digest(harness: Harness, empty_database: Database) -> None:
    trade(harness)
    with harness.database.session.begin() as session:
        session.scalars(select(Account).limit(1)).one().posted += 1
        session.scalars(select(Entry).limit(1)).one().ref = b"\1" * 32
        session.get_one(Position, 2).position -= 1
    ours, theirs = _rebuild(harness, empty_database)
    assert ours.overall != theirs.overall
    assert ours.differing(theirs) == ["entries", "accounts", "positions"]
    empty_database.close()


def test_a_rebuilt_database_goes_on_where_the_chain_is(harness: Harness, empty_database: Database) -> None:
    """Should it go live, it hands out no nonce that the chain has seen."""
    trade(harness)
    ours, _ = _rebuild(harness, empty_database)
    with empty_database.session.begin() as session:
        used = [(entry.merchant, entry.nonce) for entry in session.scalars(select(Entry))]
        assert len(used) == 6
        for merchant, nonce in used:
            assert session.get_one(Merchant, merchant).next_nonce > nonce
    assert harness.client.head() == ours.block
    empty_database.close()


def test_it_never_rebuilds_over_existing_rows(harness: Harness) -> None:
    service = RebuildService(harness.database, harness.client, harness.settings)
    with pytest.raises(NotEmpty, match="blocks"):
        service.prepare()


def test_a_rebuild_that_was_stopped_goes_on(harness: Harness, empty_database: Database) -> None:
    trade(harness)
    service = RebuildService(empty_database, harness.client, harness.settings)
    service.prepare()
    service.rebuild(last=harness.client.head() - 3)
    with pytest.raises(NotEmpty, match="blocks"):
        service.prepare()
    service.prepare(resume=True)
    ours, theirs = service.compare(harness.database)
    assert ours == theirs
    with pytest.raises(NotEmpty, match="orders"):
        RebuildService(harness.database, harness.client, harness.settings).prepare(resume=True)
    empty_database.close()


def _rebuild(harness: Harness, empty_database: Database) -> tuple[Digest, Digest]:
    service = RebuildService(empty_database, harness.client, harness.settings)
    service.prepare()
    return service.compare(harness.database)
