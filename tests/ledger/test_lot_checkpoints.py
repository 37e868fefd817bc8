"""Checkpoints of lots: a replay that begins at one ends where one from the beginning does, whatever the chain takes back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select

from clearing.kit.database import Database
from clearing.ledger.journal.models import Batch, Block
from clearing.ledger.journal.models import Entry as EntryRow
from clearing.ledger.lots.checkpoint_round import CheckpointRound, write_checkpoints
from clearing.ledger.lots.checkpoints import Checkpoint
from clearing.ledger.lots.models import CheckpointCursor, LotCheckpoint, LotDraw, TransferReversal
from clearing.ledger.lots.repository import LotRepository
from clearing.ledger.lots.service import LotService
from tests.ledger.test_lots import ACCOUNTS, ANN, BEN, CAT, NETWORK, a_long_story, histories, replay, store
from tests.support.entry_history import CINE, FUEL, EntryHistory, address, row_of
from tests.support.nightly import by_day
from tongdui.orders import Kind

MEMBERS = (ANN, BEN, CAT)


@pytest.fixture
def database(database_url: str) -> Iterable[Database]:
    database = Database(database_url)
    database.upgrade()
    store(database, EntryHistory())
    yield database
    database.close()


class Chain:
    """A history that comes into the database batch by batch, and may be taken back."""

    def __init__(self, database: Database, history: EntryHistory) -> None:
        self.database = database
        self.history = history
        self.batch = 0
        self.originals = {entry.leaf(): entry for entry, _ in history.entries}
        with database.session.begin() as session:
            for table in (EntryRow, Batch, Block, LotCheckpoint, LotDraw, TransferReversal, CheckpointCursor):
                session.execute(delete(table))
            days = sorted({day for _, day in history.entries})
            blocks = [
                {"number": day, "timestamp": 0, "day": day, "hash": bytes(32), "parent_hash": bytes(32)} for day in days
            ]
            session.execute(insert(Block), blocks)

    @property
    def batches(self) -> int:
        """How many batches the whole history has."""
        return self.history.entries[-1][0].batch

    def grow(self, to: int) -> None:
        """The projector brings the next batches."""
        some = [(entry, day) for entry, day in self.history.entries if self.batch < entry.batch <= to]
        numbers = range(self.batch + 1, to + 1)
        fields = {
            "root": bytes(32),
            "head": bytes(32),
            "entries": 3,
            "tx_hash": bytes(32),
            "gas_used": 1,
            "block_number": 1,
        }
        with self.database.session.begin() as session:
            session.execute(insert(Batch), [{"number": number, **fields} for number in numbers])
            session.execute(insert(EntryRow), [row_of(entry, day) for entry, day in some])
            LotRepository(session).note_reversals([entry for entry, _ in some], self.originals)
        self.batch = to

    def shrink(self, to: int) -> None:
        """The chain takes its newest batches back."""
        with self.database.session.begin() as session:
            session.execute(delete(EntryRow).where(EntryRow.batch > to))
            session.execute(delete(Batch).where(Batch.number > to))
            LotRepository(session).take_back(to + 1)
        self.batch = to

    def write(self, addresses: Sequence[str]) -> None:
        with self.database.session.begin() as session:
            write_checkpoints(session, addresses)

    def check(self) -> None:
        """What the database says of every account is what a replay of all entries says, together and one by one."""
        known = EntryHistory(entries=[(entry, day) for entry, day in self.history.entries if entry.batch <= self.batch])
        whole = replay(known)
        expected = {account: whole.lots(account) for account in ACCOUNTS}
        with self.database.reading() as session:
            service = LotService(session, network=NETWORK)
            assert service.portions(ACCOUNTS) == expected
            for account in ACCOUNTS:
                assert service.portions([account]) == {account: expected[account]}


STEPS = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from(["grow", "shrink", "write", "write"]), st.sets(st.sampled_from(MEMBERS))
    ),
    min_size=4,
    max_size=10,
)


@given(histories(length=(12, 40)), STEPS)
@settings(
    max_examples=by_day(15, at_night=200),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_checkpoints_and_what_came_since_are_the_whole_history(
    database: Database, history: EntryHistory, steps: list[tuple[float, str, set[str]]]
) -> None:
    chain = Chain(database, history)
    for share, step, members in steps:
        if step == "grow" and chain.batch < chain.batches:
            chain.grow(chain.batch + 1 + int(share * (chain.batches - chain.batch - 1)))
        elif step == "shrink":
            chain.shrink(int(share * chain.batch))
        elif step == "write" and members:
            chain.write(sorted(members))
        if step != "write":
            chain.check()
    if chain.batch < chain.batches:
        chain.grow(chain.batches)
    chain.check()


def test_every_story_is_told_alike_wherever_its_checkpoints_were_written(database: Database) -> None:
    history = a_long_story()
    for first, second in itertools.product(range(1, 6), repeat=2):
        chain = Chain(database, history)
        for batch in range(1, chain.batches + 1):
            chain.grow(batch)
            if batch == first:
                chain.write([ANN])
            if batch == second:
                chain.write([CAT, BEN])
        chain.check()


def test_a_long_history_is_read_from_its_checkpoint_and_a_round_keeps_those_of_busy_members(database: Database) -> None:
    history = EntryHistory()
    for number in range(1_500):
        history.issue(ANN, 3, 200 + number // 50)
        history.burn(Kind.REDEEM, ANN, 2)
    history.issue(BEN, 5)
    chain = Chain(database, history)
    chain.grow(chain.batches)
    assert CheckpointRound(database).run() > 0
    with database.reading() as session:
        read = LotRepository(session).history([ANN]).postings
        assert len(read) < 2_000
        assert session.scalar(select(func.count()).select_from(LotCheckpoint).where(LotCheckpoint.address == ANN)) == 1
    chain.check()
    assert CheckpointRound(database).run() == 0
    chain.write([ANN])
    with database.reading() as session:
        assert LotRepository(session).history([ANN]).postings == []


def test_a_transfer_that_was_undone_in_parts_is_undone_once_wherever_the_checkpoints_are(database: Database) -> None:
    """Ben joins Ann's replay only for what he gives her at the end, and brings a reversal that her checkpoint has counted."""
    history = EntryHistory()

    def to_the_end_of_the_batch() -> int:
        newest = history.entries[-1][0].batch
        while history.issue(CAT, 1).batch == newest:
            pass
        return newest

    history.issue(ANN, 100, expiry_day=50)
    history.issue(BEN, 70, expiry_day=60)
    given_by_ann = history.transfer(ANN, BEN, 100)
    first = to_the_end_of_the_batch()
    history.reverse(given_by_ann, 60)
    second = to_the_end_of_the_batch()
    history.reverse(given_by_ann, 40)
    history.transfer(BEN, ANN, 10)
    chain = Chain(database, history)
    chain.grow(first)
    chain.write([BEN])
    chain.grow(second)
    chain.write([ANN])
    chain.grow(chain.batches)
    chain.check()


def test_a_checkpoint_never_goes_back_and_one_of_a_lost_block_is_gone(database: Database) -> None:
    history = a_long_story()
    chain = Chain(database, history)
    chain.grow(3)
    with database.reading() as session:
        before = LotRepository(session).history(MEMBERS).replay()
    chain.grow(5)
    chain.write(MEMBERS)
    with database.session.begin() as session:  # somebody who began earlier comes late
        LotRepository(session).save([Checkpoint.of(before, ANN, before.last_batches[ANN])], before.draws.values())
    with database.reading() as session:
        assert {checkpoint.last_batch for checkpoint in LotRepository(session).checkpoints([ANN]).values()} != {
            before.last_batches[ANN]
        }
    chain.check()
    chain.shrink(1)
    with database.reading() as session:
        assert LotRepository(session).checkpoints(MEMBERS) == {}
    chain.check()


def test_what_does_not_concern_a_member_is_not_read(database: Database) -> None:
    history = EntryHistory()
    history.issue(ANN, 10, 200)
    history.issue(BEN, 10, 300, CINE)
    history.issue(address(99), 10)
    chain = Chain(database, history)
    chain.grow(chain.batches)
    with database.reading() as session:
        assert [posting.entry.member for posting in LotRepository(session).history([ANN]).postings] == [ANN]
        assert LotService(session, network=NETWORK).of((BEN, FUEL)) == []
