"""Several processes of the gateway on one port."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from clearing.ordering.orders.models import Order, OrderState
from scripts.dev.services import Postgres, free_port
from tests.gateway.process import GatewayProcess
from tests.gateway.site import Party, Site, together, until


@pytest.fixture(scope="module")
def site(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway in this process, which prepares the database that the workers share."""
    with Site(postgres_server.new_database("workers"), tmp_path_factory.mktemp("keys")) as running:
        yield running


@pytest.fixture(scope="module")
def gas(site: Site) -> Party:
    return site.merchant(program="GAS")


@pytest.fixture(scope="module")
def process(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Two workers, which end as they should when the tests are over."""
    log = tmp_path_factory.mktemp("workers") / "log"
    ports = {"TONGDUI_METRICS_PORT": str(_two_free_ports())}
    with GatewayProcess(site.settings.database_url, log, "--workers", "2", **ports) as running:
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0
        assert not any(map(_is_alive, _workers(running)))


def _two_free_ports() -> int:
    while (port := free_port()) and not _is_free(port + 1):
        pass
    return port


def _is_free(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}", timeout=5)
    except httpx.ConnectError:
        return True
    return False


def _workers(process: GatewayProcess) -> list[int]:
    """The process ids of all workers that were ever started, by its log."""
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    return [line["pid"] for line in lines if line["event"] == "worker started"]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _post(process: GatewayProcess, site: Site, party: Party, body: Any, key: str, **headers: str) -> httpx.Response:
    """An issuance over a connection of its own: any worker may take it."""
    sent = {"Authorization": f"Bearer {site.keys[party.id]}", "Idempotency-Key": key, **headers}
    return httpx.post(process.url + "/v1/issuances", json=body, headers=sent, timeout=60)


def _orders(site: Site) -> int:
    with site.database.session() as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0


def test_a_key_that_reaches_both_at_once_has_one_effect(process: GatewayProcess, site: Site, gas: Party) -> None:
    body = {"program": "GAS", "member": gas.member(), "points": 5}
    before = _orders(site)
    for round_ in range(5):
        answers = together(8, lambda _: _post(process, site, gas, body, f"both-{round_}"))  # noqa: B023 (called at once)
        taken = [answer.json()["id"] for answer in answers if answer.status_code == 202]
        assert len(set(taken)) == 1
        refused = [answer for answer in answers if answer.status_code != 202]
        assert all(answer.json()["code"] == "idempotency_in_progress" for answer in refused)
    assert _orders(site) == before + 5


def test_each_serves_its_metrics_and_both_answer(process: GatewayProcess) -> None:
    base = int(process.environment["TONGDUI_METRICS_PORT"])
    for port in (base, base + 1):
        found = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        assert "tongdui_up" in found
        assert 'tongdui_check_ok{check="migrations"} 1.0' in found, "the gateway's metrics say what /readyz says"
    # While one worker is stopped in its tracks, the other one answers whatever reaches it.
    for worker in _workers(process):
        os.kill(worker, signal.SIGSTOP)
        try:
            until(lambda: _answers(process))
        finally:
            os.kill(worker, signal.SIGCONT)


def _answers(process: GatewayProcess) -> bool:
    try:
        return httpx.get(process.url + "/docs", timeout=2).status_code == 200
    except httpx.TimeoutException:
        return False  # the kernel gave the connection to the other one


def test_a_killed_worker_is_replaced(process: GatewayProcess, site: Site, gas: Party) -> None:
    for victim in _workers(process)[-2:]:
        started = len(_workers(process))
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(_workers(process)) == started + 1)  # noqa: B023 (called at once)
        body = {"program": "GAS", "member": gas.member(), "points": 5}
        assert _post(process, site, gas, body, f"after-the-death-of-{victim}").status_code == 202
    assert sum(map(_is_alive, _workers(process))) == 2


def test_both_answer_what_they_have_begun_before_they_end(site: Site, gas: Party, tmp_path: Path) -> None:
    with GatewayProcess(site.settings.database_url, tmp_path / "log", "--workers", "2") as running:
        _drain(running, site, gas)


@contextmanager
def _waiting(process: GatewayProcess, site: Site, gas: Party, name: str) -> Iterator[list[Future[httpx.Response]]]:
    """Eight accepted issuances whose requests wait for the chain."""
    bodies = [{"program": "GAS", "member": gas.member(), "points": 5} for _ in range(8)]
    before = _orders(site)
    with ThreadPoolExecutor(8) as pool:
        pending = [
            pool.submit(_post, process, site, gas, body, f"{name}-{place}", Prefer="wait=30")
            for place, body in enumerate(bodies)
        ]
        until(lambda: _orders(site) == before + 8)
        yield pending


def _drain(process: GatewayProcess, site: Site, gas: Party) -> None:
    with _waiting(process, site, gas, "drained") as pending:
        began = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        assert [answer.result().status_code for answer in pending] == [202] * 8
    assert process.process.wait(60) == 0
    assert time.monotonic() - began < 25, "they stop waiting for the chain"


def test_a_decision_reaches_those_who_wait_with_either(process: GatewayProcess, site: Site, gas: Party) -> None:
    with _waiting(process, site, gas, "told") as pending:
        with site.database.session() as session:
            ids = session.scalars(select(Order.id).where(Order.state == OrderState.ACCEPTED)).all()
        for order in ids:
            site.finish(order, OrderState.REJECTED, "network_paused")
        assert [answer.result().json()["state"] for answer in pending] == ["rejected"] * 8


def test_workers_die_with_their_parent(site: Site, tmp_path: Path) -> None:
    with GatewayProcess(site.settings.database_url, tmp_path / "log", TONGDUI_GATEWAY_WORKERS="2") as running:
        workers = _workers(running)
        running.process.kill()
        until(lambda: not any(map(_is_alive, workers)))
    assert len(workers) == 2


def test_sqlite_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = GatewayProcess(f"sqlite:///{tmp_path / 'tongdui.db'}", log, "--workers", "2")
    assert running.process.wait(60) == 2
    assert log.read_text().startswith("TONGDUI_GATEWAY_WORKERS: SQLite has one writer")
