"""The projector follows the right chain, resumes where it stopped, and quarantines events that it cannot read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from clearing.chain.client import BlockData, ChainClient, Log, Tip
from clearing.chain.deployment import deployment_block
from clearing.chain.errors import ChainError
from clearing.kit.database import Database
from clearing.kit.events.models import Event
from clearing.ledger.journal.models import Block, ChainEvent, QuarantinedEvent
from clearing.ordering.orders.models import OrderState
from clearing.oversight.reconciliation.rebuild import digest
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.pipeline.projector import Projector
from clearing.pipeline.quarantine import retry_quarantined
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tests.support.traffic import trade
from tongdui.encoding import keccak256, word


def test_the_projector_resumes_where_it_stopped(harness: Harness) -> None:
    trade(harness)
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


def test_without_a_contract_there_is_nothing_to_follow(harness: Harness, empty_database: Database) -> None:
    empty_database.upgrade()
    settings = harness.settings.model_copy(update={"contract": "0x" + "11" * 20})
    with pytest.raises(ChainError, match="there is no contract"):
        Projector(empty_database, harness.client, settings).step()
    empty_database.close()


def test_a_node_of_another_chain_does_not_roll_the_read_model_back(harness: Harness, own_chain: Anvil) -> None:
    trade(harness)
    stranger = ChainClient(own_chain.url)
    with harness.database.session.begin() as session:
        before = digest(session)
    with pytest.raises(ChainError, match="another chain"):
        Projector(harness.database, stranger, harness.settings).step()
    with harness.database.session.begin() as session:
        assert digest(session) == before
    stranger.close()


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
    own_chain.reorganise(1)  # and it is reverted like any other
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


def _inject(harness: Harness, logs: Callable[[], list[Log]]) -> Callable[[], None]:
    """Adds logs to each block that has a batch, as a newer contract might emit them; returns a function that stops it."""
    client = harness.client
    honest_blocks, honest_tip = client.blocks, client.tip

    def with_logs(block: BlockData) -> BlockData:
        return replace(block, logs=(*block.logs, *logs())) if block.logs else block

    def blocks(first: int, last: int, contract: str) -> list[BlockData]:
        return [with_logs(block) for block in honest_blocks(first, last, contract)]

    def tip(known: int, contract: str | None) -> Tip:
        found = honest_tip(known, contract)
        return replace(found, following=with_logs(found.following) if found.following else None)

    client.blocks, client.tip = blocks, tip  # type: ignore[method-assign]

    def stop() -> None:
        client.blocks, client.tip = honest_blocks, honest_tip  # type: ignore[method-assign]

    return stop


def _log(index: int, topics: list[bytes], data: bytes) -> Log:
    return Log(tuple(topics), data, index, b"\7" * 32)
