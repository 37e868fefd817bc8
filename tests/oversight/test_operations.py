"""What the operator can do: pause, resume, cancel, look at the queue and at the quarantine; and the commands' exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from clearing.kit import logs
from clearing.kit.config import settings
from clearing.kit.errors import Conflict, NotFound, Unavailable
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Entry, QuarantinedEvent
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import OrderState
from clearing.oversight.operations.service import OperationsService
from clearing.runtime import cli
from tests.support.harness import PASSWORD, Harness

Clearing = Callable[..., int]


@pytest.fixture
def clearing(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clearing]:
    """Runs the command on this network and returns its exit code."""
    configured = harness.settings
    for name, value in {
        "DATABASE_URL": configured.database_url,
        "RPC_URL": configured.rpc_url,
        "CONTRACT": configured.contract,
        "KEYSTORE_DIR": str(configured.keystore_dir),
        "KEYSTORE_PASSWORD": PASSWORD,
    }.items():
        monkeypatch.setenv(f"TONGDUI_{name}", value)
    monkeypatch.setattr(logs, "configure", lambda: None)  # it would hold on to this test's standard error
    settings.cache_clear()

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as end:
            cli.main(list(arguments))
        code = end.value.code
        assert isinstance(code, int)
        return code

    yield run
    settings.cache_clear()


def test_a_paused_sequencer_batches_nothing_until_it_is_resumed(harness: Harness) -> None:
    sent = harness.issue(harness.member(), 100)
    harness.sequencer.sign_batch()
    assert _operate(harness, lambda service: service.pause("audit"))
    assert not _operate(harness, lambda service: service.pause("again"))
    waiting = harness.issue(harness.member(), 100)
    harness.settle()
    assert harness.order(sent).state is OrderState.SETTLED, "what was signed is still sent"
    assert harness.order(waiting).state is OrderState.ACCEPTED
    assert _operate(harness, lambda service: service.resume())
    assert not _operate(harness, lambda service: service.resume())
    harness.settle()
    assert harness.order(waiting).state is OrderState.SETTLED
    with harness.database.session.begin() as session:
        recorded = session.scalars(select(Event).where(Event.type.like("sequencing.%")).order_by(Event.seq)).all()
        assert [(event.type, event.actor) for event in recorded] == [
            ("sequencing.paused", "op"),
            ("sequencing.resumed", "op"),
        ]
    harness.check()


def test_a_cancelled_order_is_final_frees_its_points_and_money_and_never_reaches_the_chain(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.exchange(member, 100)
    _operate(harness, lambda service: service.cancel(order))
    cancelled = harness.order(order)
    assert (cancelled.state, cancelled.reason) == (OrderState.CANCELLED, "cancelled_by_operator")
    with harness.database.session.begin() as session:
        assert {account.reserved for account in session.scalars(select(Account))} == {0}
        assert {position.reserved for position in session.scalars(select(Position))} == {0}
        event = session.scalars(select(Event).where(Event.subject == order, Event.type == "order.cancelled")).one()
        assert event.actor == "op"
    again = harness.exchange(member, 100)
    harness.settle()
    assert (harness.order(order).state, harness.order(again).state) == (OrderState.CANCELLED, OrderState.SETTLED)
    with harness.database.session.begin() as session:
        assert len(session.scalars(select(Entry)).all()) == 2
    harness.check()


def test_a_cancelled_orders_reference_may_be_used_again(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100, reference="sale-7")
    _operate(harness, lambda service: service.cancel(order))
    again = harness.issue(member, 100, reference="sale-7")
    harness.settle()
    assert harness.order(again).state is OrderState.SETTLED
    harness.check()


def test_only_an_order_that_waits_for_a_batch_can_be_cancelled(harness: Harness) -> None:
    order = harness.issue(harness.member(), 100)
    harness.sequencer.sign_batch()
    for _ in range(2):
        with pytest.raises(Conflict, match=r"submitted|settled") as refusal:
            _operate(harness, lambda service: service.cancel(order))
        assert refusal.value.code == "order_not_waiting"
        harness.settle()
    with pytest.raises(NotFound):
        _operate(harness, lambda service: service.cancel("ord_nobodys"))
    harness.check()


def test_a_full_queue_refuses_orders_until_it_is_shorter(harness: Harness) -> None:
    harness.settings.queue_limit = 3
    members = [harness.member() for _ in range(4)]
    for member in members[:3]:
        harness.issue(member, 1)
    with pytest.raises(Unavailable, match="3 instructions are waiting") as refusal:
        harness.issue(members[3], 1)
    assert (refusal.value.code, refusal.value.status) == ("queue_full", 503)
    assert refusal.value.retry_after > 0
    harness.settle()
    harness.issue(members[3], 1)
    harness.settle()
    harness.check()


def test_the_commands_exit_codes_show_the_state_of_the_network(
    harness: Harness, clearing: Clearing, capsys: pytest.CaptureFixture[str]
) -> None:
    order = harness.issue(harness.member(), 100)
    assert clearing("pause", "--reason", "test") == 0
    assert clearing("queue", "--json") == 0
    queue = json.loads(_last_json(capsys))
    assert (queue["orders"], queue["instructions"], queue["paused"], queue["in_flight"]) == (1, 1, True, 0)
    assert queue["oldest_seconds"] > 0
    assert clearing("queue") == 0
    assert clearing("cancel", order) == 0
    assert clearing("cancel", order) == 2
    assert "the order is cancelled" in capsys.readouterr().err
    assert clearing("resume") == 0
    assert clearing("quarantine") == 0

    harness.issue(harness.member(), 100)
    harness.settle()
    assert clearing("reconcile", "--record") == 0
    capsys.readouterr()
    with harness.database.session.begin() as session:
        session.scalars(select(Account)).one().posted += 5
    assert clearing("reconcile", "--json", "-") == 1
    report = json.loads(_last_json(capsys))
    assert report["clean"] is False
    assert {drift["what"] for drift in report["drifts"]} == {"balance", "supply"}
    with harness.database.session.begin() as session:
        session.execute(delete(Event).where(Event.type != "reconciliation.clean"))
        assert len(session.scalars(select(Event)).all()) == 1
        session.add(
            QuarantinedEvent(
                block_number=1, log_index=1, name=None, topics=["0x77"], data=b"", tx_hash=bytes(32), error="odd"
            )
        )
    assert clearing("quarantine") == 1
    assert clearing("quarantine", "--retry") == 1


def test_the_rebuild_command_compares_bit_for_bit(
    harness: Harness, clearing: Clearing, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.issue(harness.member(), 100)
    harness.settle()
    into = f"sqlite:///{tmp_path / 'again.db'}"
    assert clearing("rebuild", "--into", into, "--compare") == 0
    digest = capsys.readouterr().out.splitlines()[-1]
    assert len(digest) == 64
    assert clearing("rebuild", "--into", into) == 2
    assert "rebuild into an empty database" in " ".join(capsys.readouterr().err.split())
    with harness.database.session.begin() as session:
        session.scalars(select(Account)).one().posted += 5
    assert clearing("rebuild", "--into", f"sqlite:///{tmp_path / 'third.db'}", "--compare") == 1


def _operate(harness: Harness, action: Callable[[OperationsService], Any]) -> Any:
    with harness.database.session.begin() as session:
        return action(OperationsService(session, actor="op"))


def _last_json(capsys: pytest.CaptureFixture[str]) -> str:
    out = capsys.readouterr().out
    return out[out.index("{") :]
