"""Exchanges in orders of hundreds, as a night's import makes them; and how fast an auditor's machine replays the chain."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from clearing.chain.client import ChainClient
from clearing.kit.database import Database
from clearing.ledger.journal.models import Entry
from clearing.pipeline.projector import Projector
from scripts.bench.baseline import bench_usual_way
from scripts.bench.measuring import percentile, report, timed
from scripts.bench.partners import CHAIN_ARGUMENTS, CLIENTS, ORDER, Partners, Source
from scripts.dev.services import anvil
from tongdui import Exchange

_SMALL_ORDER = 100
"""Exchanges in an order whose time to settle is measured."""


def bench_bulk(around: Partners, seconds: float, usual: float, ceilings: Mapping[str, float]) -> None:
    """Measures settled exchanges a second in orders of hundreds, and CPU time; then the time to settle at half that load."""
    run_bulk(around.own, 2.0)
    before = around.cpu()
    exchanges = run_bulk(around.own, seconds)
    after = around.cpu()
    rate = exchanges.settled_per_second
    with anvil(arguments=CHAIN_ARGUMENTS) as chain:
        usual = max(usual, bench_usual_way(chain.url, 500))  # once more: the machine may have been busy before
    compared = {"times_usual_way": round(rate / usual, 1)}
    compared |= {f"of_ceiling_{name}": round(rate / ceiling, 3) for name, ceiling in ceilings.items()}
    report("settled", rate, "exchanges/s", exchanges=exchanges.count, order_of=ORDER, clients=CLIENTS, **compared)
    for part, spent in after.items():
        report(f"cpu_{part}", (spent - before[part]) / exchanges.count * 1e5, "ms per 100 exchanges")
    half = run_bulk(around.own, seconds, size=_SMALL_ORDER, pace=rate / 2)
    for percent in (50, 99):
        value = percentile(half.latencies, percent)
        report(f"settle_time_p{percent}", value, "s", order_of=_SMALL_ORDER, load=round(half.settled_per_second))


@dataclass(slots=True)
class Run:
    """The result of a load."""

    count: int
    seconds: float
    latencies: list[float]

    @property
    def settled_per_second(self) -> float:
        """Settled exchanges, divided by the time from the first request to the last settlement."""
        return self.count / self.seconds


def run_bulk(source: Source, seconds: float, size: int = ORDER, pace: float | None = None) -> Run:
    """Has several clients of a merchant submit orders of `size` exchanges at once; each waits for its own settlement.

    `pace` limits how many exchanges a second they submit together.
    """
    latencies: list[float] = []
    failures: list[BaseException] = []
    end = time.perf_counter() + seconds

    def drive(number: int) -> None:
        members = source.members[number * size : (number + 1) * size]
        requests = [Exchange(member=m, points=10, agreement=source.agreement) for m in members]
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                source.client.orders.create(requests, wait=30, detail=False).raise_for_rejection()
            except BaseException as error:  # noqa: BLE001 (reported by the main thread)
                failures.append(error)
                return
            latencies.append(time.perf_counter() - began)
            if pace is not None:
                time.sleep(max(0.0, CLIENTS * size / pace - latencies[-1]))

    began = time.perf_counter()
    threads = [threading.Thread(target=drive, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Run(len(latencies) * size, time.perf_counter() - began, latencies)


def bench_projection(around: Partners) -> None:
    """Measures how fast an auditor's machine replays the whole chain into an empty database."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/audit.db")
        database.upgrade()
        client = ChainClient(around.network.rpc_url)
        projector = Projector(database, client, around.network.settings)

        def replay() -> None:
            while projector.step():
                pass

        seconds = timed(replay)
        with database.session.begin() as session:
            entries = session.scalar(select(func.count()).select_from(Entry)) or 0
        client.close()
        database.close()
        report("audit_replay", entries / seconds, "entries/s", entries=entries)
