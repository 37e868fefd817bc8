"""Celery as it runs: real worker processes, on each broker, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty

import httpx
import pytest
from celery import Task
from kombu import Connection
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from clearing.kit.config import Settings
from clearing.kit.database import Base
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.ids import new_id
from clearing.kit.signing.passwords import Purpose
from clearing.ledger.accounts.repository import AccountRepository, Balance
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.settlement.repository import PositionRepository
from clearing.notifications.webhooks.service import WebhookService
from clearing.ordering.quotes.models import Quote
from clearing.parties.agreements.models import Agreement
from clearing.parties.codes.models import MemberCode
from clearing.parties.members.models import LinkCode
from clearing.parties.merchants.models import Merchant
from clearing.runtime.jobs import app as jobs
from clearing.runtime.jobs import definitions, file_broker, rounds
from clearing.runtime.jobs.context import Context
from scripts.dev.services import free_port, is_alive, rabbitmq, redis
from tests.support.chainless import CONTRACT, ChainlessNetwork
from tests.support.entry_history import EntryHistory, store
from tests.support.secrets import password_variables
from tests.support.webhook_receiver import WebhookReceiver

ROOT = Path(__file__).resolve().parents[2]


class Workers:
    """Celery processes on a copy of the prepared network."""

    def __init__(self, chainless: ChainlessNetwork, broker_url: str, directory: Path) -> None:
        self.chainless = chainless
        self.metrics_port = free_port()
        self.log = directory / "celery.log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "TONGDUI_DATABASE_URL": chainless.settings.database_url,
            "TONGDUI_CONTRACT": CONTRACT,
            "TONGDUI_RPC_URL": "http://127.0.0.1:9",
            **password_variables(*Purpose),
            "TONGDUI_BROKER_URL": broker_url,
            "TONGDUI_BROKER_DIR": str(directory / "broker"),
            "TONGDUI_METRICS_PORT": str(self.metrics_port),
            "TONGDUI_WEBHOOK_ALLOW_LOCAL": "true",
            "TONGDUI_WEBHOOK_INTERVAL": "0.5",
            "TONGDUI_DAILY_INTERVAL": "3",
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "clearing", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def metrics(self) -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).text
        except httpx.TransportError:
            return ""


def until(condition: Callable[[], bool], workers: Workers, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, workers.log.read_text()[-3_000:]
        time.sleep(0.05)


@contextmanager
def broker(kind: str) -> Iterator[str]:
    with ExitStack() as stack:
        yield stack.enter_context(redis() if kind == "redis" else rabbitmq()).url


@pytest.fixture
def network(prepared: Path, tmp_path: Path) -> Iterator[ChainlessNetwork]:
    shutil.copy(prepared, tmp_path / "chainless.db")
    chainless = ChainlessNetwork(f"sqlite:///{tmp_path / 'chainless.db'}", tmp_path, webhook_allow_local=True)
    yield chainless
    chainless.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_worker_does_what_a_beat_gives_out_over_a_broker(
    network: ChainlessNetwork, tmp_path: Path, kind: str
) -> None:
    with WebhookReceiver() as receiver, broker(kind) as url:
        workers = Workers(network, url, tmp_path)
        try:
            _endpoint(network, receiver.url)
            lapsed = _lapsed_hold(network)
            _tell(network, "first")
            workers.start("beat")
            workers.start("worker", "--processes", "1")
            until(lambda: _subjects(receiver) == ["first"], workers)
            until(lambda: _state(network, lapsed) is HoldState.EXPIRED, workers)
            until(lambda: 'name="webhooks.deliver",outcome="done"' in workers.metrics(), workers)
        finally:
            workers.close()


@pytest.mark.slow
def test_the_embedded_worker_goes_on_after_a_kill_leaves_no_process_behind_and_ends_in_order(
    network: ChainlessNetwork, tmp_path: Path
) -> None:
    with WebhookReceiver() as receiver:
        workers = Workers(network, "", tmp_path)
        try:
            _endpoint(network, receiver.url)
            _tell(network, "first")
            with network.database.session.begin() as session:
                session.add(_old_record())
            worker = workers.start("worker", "--beat", "--processes", "1")
            workers.start("rounds", "--processes", "1")
            until(lambda: _subjects(receiver) == ["first"], workers)
            until(lambda: not _idempotency_records(network), workers)
            children = _descendants(worker.pid)
            assert len(children) == 2
            worker.kill()
            worker.wait()
            until(lambda: not any(is_alive(child) for child in children), workers)

            _tell(network, "second")
            worker = workers.start("worker", "--beat", "--processes", "1")
            until(lambda: _subjects(receiver) == ["first", "second"], workers)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(120) == 0
        finally:
            workers.close()


def test_a_round_that_takes_long_keeps_nothing_quick_waiting(network: ChainlessNetwork, tmp_path: Path) -> None:
    """Jobs of the two queues go to workers of their own: what one finds, the other leaves alone."""
    file_broker.register()
    options = {"directory": str(tmp_path / "broker"), "polling_interval": 0.01}
    with Connection("directory://localhost/", transport_options=options) as connection:
        for task in _ours().values():
            task.apply_async(connection=connection)
    waiting = {queue.name: len(list(queue.iterdir())) for queue in (tmp_path / "broker").iterdir()}
    assert waiting == {"tongdui": len(_QUICK), "tongdui-rounds": len(_ours()) - len(_QUICK)}


_QUICK = {
    "webhooks.deliver",
    "mails.deliver",
    "holds.tidy",
    "liquidity.alert",
    "agreements.expire",
    "approvals.expire",
    "reconciliation.watch",
}


def test_a_round_never_overlaps_itself_and_a_killed_one_leaves_no_lock(
    chainless: ChainlessNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Context.of(chainless.settings)
    monkeypatch.setattr(rounds, "context", lambda: shared)
    monkeypatch.setattr(definitions, "context", lambda: shared)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD_THE_LOCK, chainless.settings.database_url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "True\n"
        expire = _ours()["points.expire"]
        assert expire.apply().result is None
        assert _ours()["points.remind"].apply().result == 0  # another round's lock is another one
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 60
    while expire.apply().result is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert expire.apply().result == 0
    shared.close()


_HOLD_THE_LOCK = """
import sys, time
from clearing.kit.database import Database
from clearing.runtime.jobs.rounds import alone
with alone(Database(sys.argv[1]), "points.expire") as is_mine:
    print(is_mine, flush=True)
    time.sleep(600)
"""


def test_every_job_has_limits_and_a_place_in_the_schedule_and_acknowledges_late() -> None:
    scheduled = {entry["task"] for entry in jobs.schedule(Settings()).values()}
    assert all(entry["options"]["expires"] > 0 for entry in jobs.schedule(Settings()).values())
    assert scheduled == set(_ours())
    for name, task in _ours().items():
        assert task.soft_time_limit, name
        assert task.time_limit > task.soft_time_limit, name
        assert task.acks_late, name
        assert task.time_limit < jobs.transport_options(Settings(broker_url="redis://x"))["visibility_timeout"]


def test_every_job_does_its_work_once_however_often_it_runs_and_is_counted(
    network: ChainlessNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each task finds to do is done by its first run; a second one, as after a lost acknowledgement, changes no row."""
    with WebhookReceiver() as receiver:
        _endpoint(network, receiver.url)
        _work_for_everybody(network)
        settings = network.settings.model_copy(update={"rpc_url": "http://127.0.0.1:9"})
        shared = Context.of(settings)
        monkeypatch.setattr(definitions, "context", lambda: shared)
        monkeypatch.setattr(rounds, "context", lambda: shared)
        for name, task in _ours().items():
            before = _rows(network)
            counted = _counted(name)
            assert task.apply().successful(), name
            first = _rows(network)
            assert (first != before) is (name in _FINDS_WORK), name
            assert task.apply().successful(), name
            assert _rows(network) == first, name
            assert _counted(name) == counted + 2, name
        shared.close()
        assert _subjects(receiver)


_FINDS_WORK = {
    "reconciliation.watch",
    "lots.keep_checkpoints",
    "events.clean_up",
    "holds.tidy",
    "idempotency.clean_up",
    "link_codes.clean_up",
    "member_codes.clean_up",
    "liquidity.alert",
    "points.expire",
    "points.remind",
    "quotes.clean_up",
    "statements.make",
    "webhooks.deliver",
}
"""The others have nothing to do here (no chain, no old delivery) and are tested by themselves."""


def _work_for_everybody(network: ChainlessNetwork) -> None:
    _lapsed_hold(network)
    _tell(network, "first")
    today = network.today()
    member = network.member()
    address, _ = network.account(member)
    history = EntryHistory(day=today - 50)
    history.issue(address, 10, today)
    history.issue(address, 10, today + 1)
    long_ago = datetime.now(UTC) - timedelta(days=365)
    with network.database.session.begin() as session:
        store(session, history)
        AccountRepository(session).add({(address, 1): Balance(posted=20, due_on=today)})
        PositionRepository(session).lock(1).position = -(10**6)
        session.add(_old_record())
        session.add(LinkCode(code_hash=bytes(32), member_id=member, expires_at=long_ago))
        code = MemberCode(id=new_id("mcd"), code_hash=bytes(32), member_id=member, merchant_number=1, points=1)
        code.expires_at = long_ago
        session.add(code)
        agreement = session.scalars(select(Agreement)).one()
        session.add(
            Quote(
                id=new_id("quo"),
                merchant_number=1,
                agreement_id=agreement.id,
                points=1,
                points_burnt=1,
                out=1,
                settled=1,
                fee=1,
                expires_at=long_ago,
            )
        )


def _old_record() -> IdempotencyRecord:
    record = IdempotencyRecord(principal="mer", key="k", fingerprint=bytes(32), status=201, body="")
    record.created_at = datetime.now(UTC) - timedelta(days=365)
    return record


def _idempotency_records(network: ChainlessNetwork) -> int:
    with network.database.reading() as session:
        return session.scalar(select(func.count()).select_from(IdempotencyRecord)) or 0


def _rows(network: ChainlessNetwork) -> dict[str, list[tuple[object, ...]]]:
    with network.database.reading() as session:
        return {
            name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for name, table in Base.metadata.tables.items()
        }


def _counted(name: str) -> float:
    labels = {"name": name, "outcome": "done"}
    return REGISTRY.get_sample_value("tongdui_job_seconds_count", labels) or 0.0


def _ours() -> dict[str, Task]:
    return {name: task for name, task in jobs.app.tasks.items() if not name.startswith("celery.")}


def test_rabbitmq_must_confirm_what_is_published() -> None:
    assert jobs.transport_options(Settings(broker_url="amqp://guest@localhost//")) == {"confirm_publish": True}


def test_no_message_of_the_directory_is_lost_doubled_or_seen_half_written(tmp_path: Path) -> None:
    file_broker.register()
    options = {"directory": str(tmp_path / "broker"), "polling_interval": 0.01}
    total, seen, lock = 300, [], threading.Lock()

    def connect() -> Connection:
        return Connection("directory://localhost/", transport_options=options)

    def produce(first: int) -> None:
        with connect() as connection, connection.SimpleQueue("numbers") as queue:
            for number in range(first, total, 3):
                queue.put({"number": number, "filling": "x" * 20_000})

    def consume() -> None:
        with connect() as connection, connection.SimpleQueue("numbers") as queue:
            deadline = time.monotonic() + 120
            while len(seen) < total and time.monotonic() < deadline:
                try:
                    message = queue.get(timeout=0.05)
                except Empty:
                    continue
                with lock:
                    seen.append(message.payload["number"])
                message.ack()

    threads = [threading.Thread(target=produce, args=(first,)) for first in range(3)]
    threads += [threading.Thread(target=consume) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(total))


# -------------------------------------------------------------------- what the workers find and do


def _endpoint(network: ChainlessNetwork, url: str) -> None:
    with network.database.session.begin() as session:
        service = WebhookService(session, keyring=network.keyrings.webhook_secrets, settings=network.settings)
        service.create(session.get_one(Merchant, 1), url=url, types=["test.*"], description="", actor="test")


def _lapsed_hold(network: ChainlessNetwork) -> str:
    with network.database.session.begin() as session:
        hold = Hold(
            id=new_id("hld"),
            merchant_number=1,
            member_id=None,
            address="0x" + "11" * 20,
            program=1,
            points=5,
            expires_at=datetime.now(UTC) - timedelta(seconds=1),
        )
        session.add(hold)
        return hold.id


def _tell(network: ChainlessNetwork, subject: str) -> None:
    with network.database.session.begin() as session:
        EventRecorder(session).record("test.happened", subject, actor="test", merchants=[1], data={})


def _state(network: ChainlessNetwork, hold: str) -> HoldState:
    with network.database.reading() as session:
        return session.get_one(Hold, hold).state


def _subjects(receiver: WebhookReceiver) -> list[str]:
    """Which events arrived, each of them once: a kill may make one arrive twice."""
    return list(dict.fromkeys(request.body["subject"] for request in receiver.seen))


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]
