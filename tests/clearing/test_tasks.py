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
from datetime import timedelta
from pathlib import Path
from queue import Empty

import httpx
import pytest
from kombu import Connection

from clearing.config import Settings
from clearing.database import now
from clearing.events.repository import EventRepository
from clearing.holds.models import Hold, HoldState
from clearing.ids import new_id
from clearing.merchants.models import Merchant
from clearing.tasks import app as tasks
from clearing.tasks import directory
from clearing.webhooks.service import WebhookService
from scripts.services import free_port, rabbitmq, redis
from tests.clearing.books import CONTRACT, Books
from tests.clearing.harness import PASSWORD
from tests.clearing.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]


class Workers:
    """Celery processes on a copy of the prepared network."""

    def __init__(self, books: Books, broker_url: str, directory: Path) -> None:
        self.books = books
        self.metrics_port = free_port()
        self.log = directory / "celery.log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "TONGDUI_DATABASE_URL": books.settings.database_url,
            "TONGDUI_CONTRACT": CONTRACT,
            "TONGDUI_RPC_URL": "http://127.0.0.1:9",
            "TONGDUI_KEYSTORE_PASSWORD": PASSWORD,
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
def network(prepared: Path, tmp_path: Path) -> Iterator[Books]:
    shutil.copy(prepared, tmp_path / "books.db")
    books = Books(f"sqlite:///{tmp_path / 'books.db'}", tmp_path, webhook_allow_local=True)
    yield books
    books.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_worker_does_what_a_beat_gives_out_over_a_broker(network: Books, tmp_path: Path, kind: str) -> None:
    with Receiver() as receiver, broker(kind) as url:
        workers = Workers(network, url, tmp_path)
        try:
            _endpoint(network, receiver.url)
            lapsed = _lapsed_hold(network)
            _tell(network, "first")
            workers.start("beat")
            workers.start("worker", "--processes", "1")
            until(lambda: _subjects(receiver) == ["first"], workers)
            until(lambda: _state(network, lapsed) is HoldState.EXPIRED, workers)
            until(lambda: 'outcome="done",task="webhooks.deliver"' in workers.metrics(), workers)
        finally:
            workers.close()


@pytest.mark.slow
def test_the_embedded_worker_goes_on_after_a_kill_leaves_no_process_behind_and_ends_in_order(
    network: Books, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        workers = Workers(network, "", tmp_path)
        try:
            _endpoint(network, receiver.url)
            _tell(network, "first")
            worker = workers.start("worker", "--beat", "--processes", "1")
            until(lambda: _subjects(receiver) == ["first"], workers)
            children = _descendants(worker.pid)
            assert len(children) == 2
            worker.kill()
            worker.wait()
            until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), workers)

            _tell(network, "second")
            worker = workers.start("worker", "--beat", "--processes", "1")
            until(lambda: _subjects(receiver) == ["first", "second"], workers)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        finally:
            workers.close()


def test_every_task_has_limits_and_a_place_in_the_schedule_and_acknowledges_late() -> None:
    scheduled = {entry["task"] for entry in tasks.schedule(Settings()).values()}
    ours = {name: task for name, task in tasks.app.tasks.items() if not name.startswith("celery.")}
    assert scheduled == set(ours)
    for name, task in ours.items():
        assert task.soft_time_limit, name
        assert task.time_limit > task.soft_time_limit, name
        assert task.acks_late, name
        assert task.time_limit < tasks.transport_options(Settings(broker_url="redis://x"))["visibility_timeout"]


def test_rabbitmq_must_confirm_what_is_published() -> None:
    assert tasks.transport_options(Settings(broker_url="amqp://guest@localhost//")) == {"confirm_publish": True}


def test_no_message_of_the_directory_is_lost_doubled_or_seen_half_written(tmp_path: Path) -> None:
    directory.register()
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
            deadline = time.monotonic() + 30
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


def _endpoint(network: Books, url: str) -> None:
    with network.database.session.begin() as session:
        service = WebhookService(session, keyring=network.keyring, settings=network.settings)
        service.create(session.get_one(Merchant, 1), url=url, types=["test.*"], description="", actor="test")


def _lapsed_hold(network: Books) -> str:
    with network.database.session.begin() as session:
        hold = Hold(
            id=new_id("hld"),
            merchant_number=1,
            member_id=None,
            address="0x" + "11" * 20,
            program=1,
            points=5,
            expires_at=now() - timedelta(seconds=1),
        )
        session.add(hold)
        return hold.id


def _tell(network: Books, subject: str) -> None:
    with network.database.session.begin() as session:
        EventRepository(session).add("test.happened", subject, "test", 1, {})


def _state(network: Books, hold: str) -> HoldState:
    with network.database.reading() as session:
        return session.get_one(Hold, hold).state


def _subjects(receiver: Receiver) -> list[str]:
    """Which events arrived, each of them once: a kill may make one arrive twice."""
    return list(dict.fromkeys(request.body["subject"] for request in receiver.seen))


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]
