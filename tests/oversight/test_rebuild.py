"""A read model rebuilt from the chain is the same bit for bit, and an event that cannot be read stops nobody."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from clearing.chain.client import BlockData, ChainClient, ChainError, Log
from clearing.chain.deployment import deployment_block
from clearing.kit.database import Database
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Block, ChainEvent, Entry, QuarantinedEvent
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.models import Order, OrderState
from clearing.oversight.reconciliation.rebuild import Digest, NotEmpty, RebuildService, digest
from clearing.parties.merchants.models import Merchant
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.pipeline.projector import Projector
from clearing.pipeline.quarantine import retry_quarantined
from scripts.dev.services import Anvil, Postgres
from tests.support.harness import Harness
from tongdui.encoding import keccak256, word

_numbers = itertools.count()


@pytest.fixture
def empty(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A second database of the same kind."""
    if database_url.startswith("sqlite"):
        return Database(f"sqlite:///{tmp_path / 'rebuilt.db'}")
    server: Postgres = request.getfixturevalue("postgres_server")
    return Database(server.new_database(f"rebuilt_{os.getpid()}_{next(_numbers)}"))


def test_a_rebuilt_read_model_is_the_same_bit_for_bit(harness: Harness, empty: Database) -> None:
    _trade(harness)
    ours, theirs = _rebuild(harness, empty)
    assert ours == theirs
    rows = {table.table: table.rows for table in ours.tables}
    assert (rows["entries"], rows["rejections"], rows["accounts"], rows["positions"]) == (6, 1, 3, 3)
    empty.close()


def test_a_rebuilt_read_model_is_the_same_after_reorganisations(
    lone_harness: Harness, own_chain: Anvil, empty: Database
) -> None:
    harness = lone_harness
    member = _trade(harness)
    for depth in (2, harness.client.head() - 8, 1):
        own_chain.rpc("anvil_reorg", depth, [])
        harness.settle()
        harness.exchange(member, 30)
        harness.settle()
    ours, theirs = _rebuild(harness, empty)
    assert ours == theirs
    empty.close()


def test_an_error_in_the_live_database_changes_its_tables_digest(harness: Harness, empty: Database) -> None:
    _trade(harness)
    with harness.database.session.begin() as session:
        session.scalars(select(Account).limit(1)).one().posted += 1
        session.scalars(select(Entry).limit(1)).one().ref = b"\1" * 32
        session.get_one(Position, 2).position -= 1
    ours, theirs = _rebuild(harness, empty)
    assert ours.overall != theirs.overall
    assert ours.differing(theirs) == ["entries", "accounts", "positions"]
    empty.close()


def test_a_rebuilt_database_goes_on_where_the_chain_is(harness: Harness, empty: Database) -> None:
    """Should it go live, it hands out no nonce that the chain has seen."""
    _trade(harness)
    ours, _ = _rebuild(harness, empty)
    with empty.session.begin() as session:
        used = [(entry.merchant, entry.nonce) for entry in session.scalars(select(Entry))]
        assert len(used) == 6
        for merchant, nonce in used:
            assert session.get_one(Merchant, merchant).next_nonce > nonce
    assert harness.client.head() == ours.block
    empty.close()


def test_it_never_rebuilds_over_existing_rows(harness: Harness) -> None:
    service = RebuildService(harness.database, harness.client, harness.settings)
    with pytest.raises(NotEmpty, match="blocks"):
        service.prepare()


def test_the_projector_resumes_where_it_stopped(harness: Harness) -> None:
    _trade(harness)
    with harness.database.session.begin() as session:
        before = digest(session)
    harness.restart()
    assert not harness.projector.step()
    with harness.database.session.begin() as session:
        assert digest(session) == before


def test_the_projector_begins_with_the_contracts_own_block(harness: Harness) -> None:
    first = deployment_block(harness.client, harness.settings.contract)
    code = [harness.client.call("eth_getCode", harness.settings.contract, hex(number)) for number in (first - 1, first)]
    assert code[0] == "0x" != code[1]
    with harness.database.session.begin() as session:
        assert session.scalars(select(Block.number).order_by(Block.number).limit(1)).one() == first


def test_without_a_contract_there_is_nothing_to_follow(harness: Harness, empty: Database) -> None:
    empty.upgrade()
    settings = harness.settings.model_copy(update={"contract": "0x" + "11" * 20})
    with pytest.raises(ChainError, match="there is no contract"):
        Projector(empty, harness.client, settings).step()
    empty.close()


def test_a_node_of_another_chain_does_not_roll_the_read_model_back(harness: Harness, own_chain: Anvil) -> None:
    _trade(harness)
    stranger = ChainClient(own_chain.url)
    with harness.database.session.begin() as session:
        before = digest(session)
    with pytest.raises(ChainError, match="another chain"):
        Projector(harness.database, stranger, harness.settings).step()
    with harness.database.session.begin() as session:
        assert digest(session) == before
    stranger.close()


# -------------------------------------------------------------------- quarantine


def test_an_event_that_cannot_be_read_is_quarantined_and_the_rest_goes_on(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100)
    _inject(
        harness,
        lambda: [
            _log(900, [keccak256(b"Deposited(uint32,uint96,bytes32)"), bytes(32)], b""),  # too short
            _log(901, [b"\x77" * 32], b"whatever"),  # of a newer contract
            _log(902, [], b""),  # anonymous
        ],
    )
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()
    with harness.database.session.begin() as session:
        quarantined = session.scalars(select(QuarantinedEvent).order_by(QuarantinedEvent.log_index)).all()
        assert [(row.log_index, row.name) for row in quarantined] == [(900, None), (901, None), (902, None)]
        assert quarantined[1].error == "LookupError: the contract has no such event"
        recorded = session.scalars(select(Event).where(Event.type == "chain.event_quarantined")).all()
        assert len(recorded) == 3


def test_an_event_about_something_unknown_is_applied_once_it_is_known(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    harness.issue(member, 100)
    pause = [keccak256(b"ProgramPauseChanged(uint32,bool)"), word(99)]
    stop = _inject(harness, lambda: [_log(900, pause, word(1))])
    harness.settle()
    stop()
    with harness.database.session.begin() as session:
        quarantined = session.scalars(select(QuarantinedEvent)).one()
        assert quarantined.name == "ProgramPauseChanged"
        assert quarantined.error.startswith("NoResultFound")
        block = quarantined.block_number
        assert retry_quarantined(session) == (0, 1)
        session.add(Program(number=99, id="prg_99", merchant_number=1, code="LATE", name="LATE"))
    with harness.database.session.begin() as session:
        assert retry_quarantined(session) == (1, 0)
    with harness.database.session.begin() as session:
        assert session.scalars(select(QuarantinedEvent)).all() == []
        assert session.get_one(ChainEvent, (block, 900)).undo == {"status": "pending"}
        assert session.get_one(Program, 99).status is ProgramStatus.PAUSED
    own_chain.rpc("anvil_reorg", 1, [])  # and it is reverted like any other
    harness.settle()
    with harness.database.session.begin() as session:
        assert session.get_one(Program, 99).status is ProgramStatus.PENDING


def test_an_entry_that_cannot_be_applied_stops_the_projector_instead_of_being_skipped(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100)
    address = bytes(12) + bytes(20)
    head = (9 << 216 | 1 << 168 | 99 << 120 | 200 << 96).to_bytes(32, "big")  # a kind that does not exist
    undo = _inject(
        harness,
        lambda: [_log(900, [keccak256(b"EntryPosted(address,uint256,uint256,bytes32)"), address], head + bytes(64))],
    )
    harness.sequencer.step()
    with pytest.raises(ValueError, match="200 is not a valid Kind"):
        harness.projector.step()
    assert harness.order(order).state is OrderState.SUBMITTED
    undo()
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


def _trade(harness: Harness) -> str:
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


def _rebuild(harness: Harness, empty: Database) -> tuple[Digest, Digest]:
    service = RebuildService(empty, harness.client, harness.settings)
    service.prepare()
    return service.compare(harness.database)


def _inject(harness: Harness, logs: Callable[[], list[Log]]) -> Callable[[], None]:
    """Adds logs to each block that has a batch, as a newer contract might emit them; returns a function that stops it."""
    honest = harness.client.blocks

    def blocks(first: int, last: int, contract: str) -> list[BlockData]:
        return [
            replace(block, logs=(*block.logs, *logs())) if block.logs else block
            for block in honest(first, last, contract)
        ]

    harness.client.blocks = blocks  # type: ignore[method-assign]

    def stop() -> None:
        harness.client.blocks = honest  # type: ignore[method-assign]

    return stop


def _log(index: int, topics: list[bytes], data: bytes) -> Log:
    return Log(tuple(topics), data, index, b"\7" * 32)
