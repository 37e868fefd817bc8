"""How fast a programme takes a supermarket's sales, and in how much memory: evaluated, booked, and settled by a whole network."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, CalledProcessError, Popen
from typing import Any

from eth_keyfile.keyfile import create_keyfile_json
from sqlalchemy import func, select

from clearing.kit.config import RATE_LIMITS, variable
from clearing.runtime.embedded.network import EmbeddedNetwork
from loyalty.kit.database import Database
from loyalty.network.member_repository import MemberRepository
from loyalty.network.models import MemberState, Wish, WishState
from loyalty.network.wish_repository import WishRepository
from scripts.bench import supermarket
from scripts.bench.measuring import cpu_seconds, memory_bytes
from scripts.bench.partners import owner_on
from scripts.bench.programme_work import make_ready
from scripts.dev.services import Postgres, postgres
from tongdui import LocalSigner

SALES = 5_000
"""How many are taken unless the whole year is asked for."""
AT_ONCE = 2
"""Processes that work at once where the machine's two cores are asked for."""
_LOOK_SECONDS = 0.5

Figure = tuple[str, float, str, dict[str, Any]]
Measured = Mapping[str, float]


def programme_figures(sales: int | None) -> Iterator[Figure]:
    """Measures so many sales, or all of the year: figure, value, unit and details."""
    wanted = sales or sum(1 for _ in supermarket.baskets())
    for name, processes in (("evaluated", 1), (f"evaluated_by_{AT_ONCE}", AT_ONCE)):
        yield from _figures(name, [_finished(one) for one in _started("evaluate", "", wanted, processes)])
    with postgres() as server:
        for name, processes in (("booked", 1), (f"booked_by_{AT_ONCE}", AT_ONCE)):
            url = server.new_database(name)
            make_ready(url, wanted)
            before = cpu_seconds(server.pid)
            found = [_finished(one) for one in _started("book", url, wanted, processes)]
            yield from _figures(name, found, postgres=(cpu_seconds(server.pid) - before) * 1_000 / wanted)
    yield from _settled(wanted)


def _figures(name: str, measured: Sequence[Measured], **beside: float) -> Iterator[Figure]:
    """The figures of processes that worked at once."""
    sales = sum(one["sales"] for one in measured)
    details = {"sales": sales, "lines": sum(one["lines"] for one in measured), "processes": len(measured)}
    yield f"programme_{name}", sales / max(one["seconds"] for one in measured), "sales/s", details
    spent = sum(one["cpu"] for one in measured) * 1_000 / sales
    yield f"programme_{name}_cpu", spent, "ms/sale", {part: round(value, 3) for part, value in beside.items()}
    largest = max(measured, key=lambda one: one["peak_mib"])
    yield f"programme_{name}_memory", largest["peak_mib"], "MiB", {"at_a_tenth": largest["tenth_mib"]}


def _started(what: str, url: str, sales: int, processes: int) -> list[Popen[str]]:
    """Processes, each of which takes every so manieth group of the sales."""
    command = [sys.executable, "-m", "scripts.bench.programme_work", what, url, str(sales)]
    return [Popen([*command, str(part), str(processes)], stdout=PIPE, text=True) for part in range(processes)]


def _finished(process: Popen[str]) -> Measured:
    printed, _ = process.communicate()
    if process.returncode:
        raise CalledProcessError(process.returncode, process.args)
    found: Measured = json.loads(printed)
    return found


# -------------------------------------------------------------------- until every wish is settled


@dataclass(slots=True)
class _Around:
    """A network and a programme of one of its merchants, with a sender, on databases of their own."""

    network: EmbeddedNetwork
    network_database: Postgres
    programme_database: Postgres
    database: Database
    sender: Popen[bytes]

    def pids(self) -> dict[str, int]:
        """The processes that work, by name."""
        children = {name: child.process.pid for name, child in self.network.children.items() if child.process}
        databases = {
            "postgres": self.network_database.pid,
            "programme_postgres": self.programme_database.pid,
        }
        return children | databases | {"sender": self.sender.pid}

    def measured(self, measure: Callable[[int], float]) -> dict[str, float]:
        """A measure of each process."""
        return {name: measure(pid) for name, pid in self.pids().items()}

    def open(self) -> int:
        """How many wishes are not settled yet, and one more while there are customers of whom the network was not told. Raises
        RuntimeError if a wish was refused, or nobody sends."""
        if self.sender.poll() is not None:
            raise RuntimeError("the sender has ended")
        with self.database.reading() as session:
            wishes = WishRepository(session).counts()
            new = MemberRepository(session).in_state(MemberState.NEW, 1)
        if wishes[WishState.REFUSED]:
            raise RuntimeError(f"{wishes[WishState.REFUSED]} wishes were refused")
        return sum(wishes.values()) + len(new)

    def settled(self) -> int:
        """How many wishes are settled."""
        with self.database.reading() as session:
            query = select(func.count()).select_from(Wish).where(Wish.state == WishState.SETTLED)
            return session.scalar(query) or 0


def _settled(sales: int) -> Iterator[Figure]:
    """Measures sales from the moment at which the first is booked until the last wish is settled."""
    with _around(sales) as around:
        while around.open():
            time.sleep(_LOOK_SECONDS)
        before, began = around.measured(cpu_seconds), time.perf_counter()
        (booker,) = _started("book", around.database.url, sales, 1)
        tenth: dict[str, float] = {}
        while booker.poll() is None or around.open():
            time.sleep(_LOOK_SECONDS)
            if not tenth and around.settled() > sales // 10:
                tenth = around.measured(memory_bytes)
        seconds, after = time.perf_counter() - began, around.measured(cpu_seconds)
        booked, last = _finished(booker), around.measured(memory_bytes)
        wishes = around.settled()
    details = {"sales": sales, "wishes": wishes, "booked_a_second": round(sales / booked["seconds"], 1)}
    yield "programme_settled", sales / seconds, "sales/s", details
    spent = {name: (after[name] - before[name]) * 1_000 / sales for name in after}
    spent["booker"] = booked["cpu"] * 1_000 / sales
    parts = {name: round(value, 3) for name, value in spent.items()}
    yield "programme_settled_cpu", sum(spent.values()), "ms/sale", parts
    for name, size in last.items():
        yield (
            f"programme_settled_memory_{name}",
            size / 2**20,
            "MiB",
            {"at_a_tenth": round(tenth.get(name, size) / 2**20, 1)},
        )


@contextmanager
def _around(sales: int) -> Iterator[_Around]:
    """A network with a programme that knows the customers of so many sales, and has sold nothing."""
    with tempfile.TemporaryDirectory() as directory, postgres() as its, postgres() as ours:
        overrides = {variable(name): "0" for name in RATE_LIMITS}  # one key does the work of hundreds
        network = EmbeddedNetwork(Path(directory) / "network", database_url=its.url, overrides=overrides)
        with network:
            key, password = secrets.token_bytes(32), secrets.token_hex()
            owner = owner_on(network, supermarket.PROGRAM, LocalSigner(key))
            owner.client.close()
            keystore = Path(directory) / "merchant.json"
            encrypted = create_keyfile_json(key, password.encode(), kdf="pbkdf2", iterations=2)  # type: ignore[arg-type]
            keystore.write_text(json.dumps(encrypted), encoding="utf-8")
            url = ours.new_database("programme")
            make_ready(url, sales)
            settings = {
                "database_url": url,
                "gateway_url": network.url,
                "api_key": owner.api_key,
                "keystore": str(keystore),
                "keystore_password": password,
                "contract": str(network.settings.contract),
            }
            environment = os.environ | {f"LOYALTY_{name.upper()}": value for name, value in settings.items()}
            sender = Popen([sys.executable, "-m", "loyalty", "send"], env=environment, stdout=DEVNULL)
            database = Database(url)
            try:
                yield _Around(network, its, ours, database, sender)
            finally:
                database.close()
                sender.terminate()
                sender.wait()
