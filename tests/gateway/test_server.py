"""The gateway as a process: it starts from the environment, serves, and stops cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from clearing.kit.database import Database
from clearing.ordering.orders.models import Order
from tests.gateway.process import GatewayProcess
from tests.gateway.site import Party, Site, later


@pytest.fixture
def process(database_url: str, tmp_path: Path) -> Iterator[GatewayProcess]:
    database = Database(database_url)
    database.upgrade()
    database.close()
    with GatewayProcess(database_url, tmp_path / "log") as running:
        yield running


def test_it_stops_on_sigterm(process: GatewayProcess) -> None:
    assert httpx.get(process.url + "/docs", timeout=60).status_code == 200
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(60) in (0, -signal.SIGTERM)
    for line in process.log.read_text().splitlines():
        assert json.loads(line)["timestamp"], "every line is JSON"


def test_waiting_clients_are_answered_before_it_stops(fresh_site: Site, tmp_path: Path) -> None:
    party: Party = fresh_site.merchant(program="WAIT")
    body = {"program": "WAIT", "member": party.member(), "points": 1}
    headers = {
        "Authorization": f"Bearer {fresh_site.keys[party.id]}",
        "Idempotency-Key": "waits-at-the-end",
        "Prefer": "wait=30",
    }

    def is_accepted() -> bool:
        with fresh_site.database.session() as session:
            return session.scalars(select(Order.id)).first() is not None

    with GatewayProcess(fresh_site.settings.database_url, tmp_path / "log") as running:
        with later(is_accepted, lambda: running.process.send_signal(signal.SIGTERM)):
            began = time.monotonic()
            answer = httpx.post(running.url + "/v1/issuances", json=body, headers=headers, timeout=60)
        assert answer.status_code == 202
        assert time.monotonic() - began < 25, "it stops waiting for the chain"
        running.process.wait(60)


def test_a_killed_gateway_loses_nothing_it_answered(fresh_site: Site, tmp_path: Path) -> None:
    party: Party = fresh_site.merchant(program="KILL")
    body = {"program": "KILL", "member": party.member(), "points": 1}
    headers = {"Authorization": f"Bearer {fresh_site.keys[party.id]}", "Idempotency-Key": "kill-nine"}
    with GatewayProcess(fresh_site.settings.database_url, tmp_path / "log") as running:
        first = httpx.post(running.url + "/v1/issuances", json=body, headers=headers, timeout=60)
    again = fresh_site.call("POST", "/v1/issuances", body, caller=party.id, key="kill-nine")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


# -------------------------------------------------------------------- start-up


def _python(directory: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in an empty directory, with these settings and no others."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
    environment = {**own, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **settings}
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({}, "TONGDUI_CONTRACT"),
        ({"TONGDUI_GATEWAY_PORT": "eighty"}, "TONGDUI_GATEWAY_PORT"),
        ({"TONGDUI_CONTRACT": "0x" + "c0" * 20}, "TONGDUI_DATABASE_URL"),
        ({"TONGDUI_QUOTE_TLL": "60"}, "TONGDUI_QUOTE_TTL"),
    ],
    ids=["missing", "wrong", "no database", "misspelt"],
)
def test_a_wrong_setting_is_refused_in_a_sentence_that_names_it(
    tmp_path: Path, settings: dict[str, str], variable: str
) -> None:
    ended = _python(tmp_path, "-m", "gateway", **settings)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert variable in ended.stderr
    assert len(ended.stderr.splitlines()) == 1, "no traceback"
    assert list(tmp_path.iterdir()) == [], "no stray file"


def test_help_loads_no_server(tmp_path: Path) -> None:
    code = "import sys, gateway.__main__ as command\ntry: command.main(['--help'])\nfinally: print(*sys.modules)"
    ended = _python(tmp_path, "-c", code)
    assert "TONGDUI_ENV_FILE" in ended.stdout
    assert not {"fastapi", "sqlalchemy", "pydantic"} & set(ended.stdout.split())


def test_the_server_loads_no_job_queue(tmp_path: Path) -> None:
    ended = _python(tmp_path, "-c", "import sys, gateway.server\nprint(*sys.modules)")
    assert "fastapi" in ended.stdout.split()
    assert not {"celery", "kombu", "web3"} & set(ended.stdout.split())
