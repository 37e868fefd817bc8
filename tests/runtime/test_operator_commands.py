"""The operator's commands and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from clearing.kit import logs
from clearing.kit.config import settings
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import QuarantinedEvent
from clearing.runtime import cli
from tests.support.harness import Harness
from tests.support.secrets import secret_variables

Clearing = Callable[..., int]


@pytest.fixture
def clearing(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clearing]:
    """Runs the command on this network and returns its exit code."""
    configured = harness.settings
    for name, value in {
        "TONGDUI_DATABASE_URL": configured.database_url,
        "TONGDUI_RPC_URL": configured.rpc_url,
        "TONGDUI_CONTRACT": configured.contract,
        **secret_variables(configured),
    }.items():
        monkeypatch.setenv(name, value)
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


def _last_json(capsys: pytest.CaptureFixture[str]) -> str:
    out = capsys.readouterr().out
    return out[out.index("{") :]
