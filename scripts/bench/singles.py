"""Exchanges one at a time, as tills and apps make them: each a request of its own that waits until the chain has decided."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from itertools import cycle, islice
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from clearing.kit.database import Database
from clearing.ledger.journal.models import Entry
from clearing.ordering.orders import models as orders
from clearing.pipeline.models import Transaction
from scripts.bench.baseline import bench_usual_way
from scripts.bench.load import Answer, as_fast_as_answered, at_a_pace, post
from scripts.bench.measuring import percentile, report
from scripts.bench.partners import CHAIN_ARGUMENTS, Partners, Source
from scripts.dev.services import anvil
from tongdui.encoding import ZERO_WORD, hex_of
from tongdui.orders import Domain, Instruction, Kind, Order

CONNECTIONS = (1, 8, 64)
MOST = CONNECTIONS[-1]
_SDK_THREADS = 8
_IDLE_SECONDS = 5.0
_POINTS = 10
_PATH = "/v1/exchanges"
_WAIT = "Prefer: wait=30"
_DEADLINE_SECONDS = 3_000
"""How long signed orders last, because they are signed before the load begins. The gateway accepts an hour at most."""
_NONCES = 1_000
_HIGHEST_RATE = {1: 50, 8: 400, 64: 1_000}
"""For so many exchanges a second orders are signed beforehand, by number of connections. When they end, the load ends."""
_PATH_OF_AN_EXCHANGE = {"gateway", "postgres", "sequencer", "projector", "chain"}
_STEPS = ("accepted", "signed", "settled", "answered")
_SAMPLE = 500
"""Of so many exchanges the steps are looked up."""


def bench_singles(around: Partners, seconds: float) -> None:
    """Measures rate, latency and CPU time of single exchanges, with both ways of signing, beside the ways without us."""
    usual = _usual_way()
    as_fast_as_answered(
        around.port, managed_requests(around.managed), expect_settled, connections=8, seconds=2
    )  # warms up
    _report_idle(around)
    highest = {}
    before, stored_before = _entries(around), _stored_bytes(around)
    for way in ("managed", "own"):
        rates = [_measured(around, way, connections, seconds) for connections in CONNECTIONS]
        highest[way] = max(rates)
    _report_stored(stored_before, _stored_bytes(around), _entries(around) - before)
    usual = max(usual, _usual_way())  # once more: the machine may have been busy before
    for way, rate in highest.items():
        report(f"single_{way}_highest", rate, "exchanges/s", times_usual_way=round(rate / usual, 2))
    _report_half_load(around, highest["managed"] / 2, seconds)
    _report_sdk(around, seconds)


def bench_memory(around: Partners, minutes: float) -> None:
    """Measures each process's memory before, in the middle of, and after so many minutes of single exchanges.

    What only the first half needs more is what a process needs to get going; what the second half needs more, it may always.
    """
    requests = managed_requests(around.managed)
    as_fast_as_answered(around.port, requests, expect_settled, connections=MOST, seconds=10)
    before = around.memory()
    exchanges, found = 0, []
    for _ in range(2):
        load = as_fast_as_answered(around.port, requests, expect_settled, connections=MOST, seconds=30 * minutes)
        exchanges += len(load.answers)
        found.append(around.memory())
    middle, last = found
    for name, after in last.items():
        details = {"before": before[name], "in_the_middle": middle[name], "minutes": minutes, "exchanges": exchanges}
        report(f"memory_{name}", after, "bytes", **details)


def _report_idle(around: Partners) -> None:
    """Reports the CPU time that the processes take when nobody asks for anything. A load of few requests contains it."""
    before = around.cpu()
    time.sleep(_IDLE_SECONDS)
    after = around.cpu()
    spent = {part: 1_000 * (after[part] - before[part]) / _IDLE_SECONDS for part in after if part != "clients"}
    parts = {part: round(value, 3) for part, value in spent.items()}
    report("idle_cpu", sum(spent.values()), "ms a second", **parts)


def _usual_way() -> float:
    """Measures the usual way, on a chain of its own."""
    with anvil(arguments=CHAIN_ARGUMENTS) as chain:
        return bench_usual_way(chain.url, 500)


# -------------------------------------------------------------------- as fast as it goes


def _measured(around: Partners, way: str, connections: int, seconds: float) -> float:
    """Runs the load of so many connections and reports it. Returns the rate."""
    requests = managed_requests(around.managed)
    if way == "own":
        requests = iter(signed_requests(around.own, int(_HIGHEST_RATE[connections] * seconds)))
    batches, before = _batches(around), around.cpu()
    load = as_fast_as_answered(around.port, requests, expect_settled, connections=connections, seconds=seconds)
    after = around.cpu()
    exchanges = len(load.answers)
    in_a_batch = round(exchanges / (_batches(around) - batches), 1)
    figure = f"single_{way}_{connections}"
    report(figure, load.rate, "exchanges/s", exchanges=exchanges, exchanges_in_a_batch=in_a_batch)
    _report_latencies(figure, load.latencies)
    _report_cpu(figure, {part: (after[part] - before[part]) * 1_000 / exchanges for part in after})
    if connections == 1:
        for step, value in _steps(around, load.answers).items():
            report(f"{figure}_step_{step}_p50", 1_000 * value, "ms")
    return load.rate


def _report_latencies(figure: str, latencies: list[float]) -> None:
    for percent in (50, 99):
        report(f"{figure}_p{percent}", 1_000 * percentile(latencies, percent), "ms")


def _report_cpu(figure: str, spent: dict[str, float]) -> None:
    """Reports the CPU time of what an exchange passes through; beside it what the jobs and the load's own program took."""
    beside = {part: round(spent.pop(part), 3) for part in sorted(spent.keys() - _PATH_OF_AN_EXCHANGE)}
    parts = {part: round(value, 3) for part, value in spent.items()}
    report(f"{figure}_cpu", sum(spent.values()), "ms an exchange", **parts, beside=beside)


def managed_requests(source: Source) -> Iterator[bytes]:
    """Makes endless requests, each for the next member, that the gateway signs."""
    for member in cycle(source.members):
        body = {"agreement": source.agreement.id, "member": member.id, "points": _POINTS}
        yield post(_PATH, source.owner.api_key, uuid4().hex, body, _WAIT)


def signed_requests(source: Source, wanted: int) -> list[bytes]:
    """Makes requests, each for the next member, that the merchant has signed, under nonces reserved a thousand at a time."""
    network = source.client.network.get()
    domain = Domain(network.chain_id, network.contract)
    requests = []
    for nonce in islice(_reserved_nonces(source), wanted):
        member = source.members[nonce % len(source.members)]
        body = {
            "agreement": source.agreement.id,
            "member": member.id,
            "points": _POINTS,
            "authorization": _authorization(source, domain, nonce, member.address),
        }
        requests.append(post(_PATH, source.owner.api_key, uuid4().hex, body, _WAIT))
    return requests


def _reserved_nonces(source: Source) -> Iterator[int]:
    while True:
        block = source.client.nonces.reserve(_NONCES)
        yield from range(block.first, block.first + block.count)


def _authorization(source: Source, domain: Domain, nonce: int, address: str) -> dict[str, Any]:
    signer, merchant, program = source.owner.signer, source.owner.merchant, source.owner.program
    assert signer is not None
    assert source.agreement.number is not None
    exchange = Instruction(Kind.EXCHANGE, address, _POINTS, program.number, source.agreement.number, ref=ZERO_WORD)
    deadline = int(time.time()) + _DEADLINE_SECONDS
    digest = Order(merchant.number, nonce, deadline, (exchange,)).digest(domain)
    return {"nonce": nonce, "deadline": deadline, "signature": hex_of(signer.sign(digest))}


def expect_settled(status: int, body: bytes) -> None:
    """Refuses every answer but that of an exchange that the chain has made."""
    if status != HTTPStatus.CREATED or json.loads(body)["state"] != "settled":
        raise RuntimeError(f"an exchange was answered with {status}: {body.decode()}")


# -------------------------------------------------------------------- what an exchange passes through


def _batches(around: Partners) -> int:
    """Returns how many transactions with orders there were."""
    with _session(around) as session:
        return session.scalar(select(func.count()).select_from(Transaction).where(Transaction.orders > 0)) or 0


def _entries(around: Partners) -> int:
    with _session(around) as session:
        return session.scalar(select(func.count()).select_from(Entry)) or 0


def _stored_bytes(around: Partners) -> dict[str, int]:
    """Returns the size of each table with its indexes."""
    tables = "FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    query = text(f"SELECT relname, pg_total_relation_size(oid) {tables}")
    with _session(around) as session:
        return {name: int(size) for name, size in session.execute(query)}


def _report_stored(before: dict[str, int], after: dict[str, int], exchanges: int) -> None:
    """Reports how many bytes the database has grown by for each exchange, by table."""
    grown = {name: (after[name] - before[name]) / exchanges for name in after if after[name] > before[name]}
    tables = {name: round(size) for name, size in sorted(grown.items(), key=lambda item: -item[1])}
    report("single_stored", sum(grown.values()), "bytes an exchange", exchanges=exchanges, **tables)


def _steps(around: Partners, answers: Sequence[Answer]) -> dict[str, float]:
    """Returns the median seconds of each step, from the request to its answer."""
    by_order = {json.loads(answer.body)["order"]: answer for answer in answers[-_SAMPLE:]}
    times = []
    with _session(around) as session:
        query = select(orders.Order.id, orders.Order.created_at, Transaction.created_at, orders.Order.settled_at)
        query = query.join(Transaction, Transaction.id == orders.Order.transaction_id)
        query = query.where(orders.Order.id.in_(by_order), orders.Order.settled_at.is_not(None))
        for order, accepted, signed, settled in session.execute(query):
            answer = by_order[order]
            moments = (accepted, signed, cast("datetime", settled))
            times.append([answer.sent_at, *(moment.timestamp() for moment in moments), answer.answered_at])
    columns = list(zip(*times, strict=True))
    return {
        name: statistics.median(b - a for a, b in zip(before, after, strict=True))
        for name, before, after in zip(_STEPS, columns, columns[1:], strict=False)
    }


@contextmanager
def _session(around: Partners) -> Iterator[Session]:
    database = Database(around.database.url)
    with database.reading() as session:
        yield session
    database.close()


# -------------------------------------------------------------------- half of the load, and the SDK


def _report_half_load(around: Partners, rate: float, seconds: float) -> None:
    """Reports the time from a request to its settlement at half of the highest rate."""
    requests = managed_requests(around.managed)
    load = at_a_pace(around.port, requests, expect_settled, rate=rate, seconds=seconds, connections=MOST)
    report("single_half_load", load.rate, "exchanges/s", exchanges=len(load.answers))
    _report_latencies("single_half_load", load.latencies)


def _report_sdk(around: Partners, seconds: float) -> None:
    """Measures what a program with several threads gets that uses the SDK's client, which signs."""
    source = around.own
    members = cycle(source.members)  # its `next` is one step: threads may share it
    end = time.perf_counter() + seconds

    def drive(_: int) -> list[float]:
        latencies = []
        while (began := time.perf_counter()) < end:
            member = next(members)
            source.client.exchanges.create(agreement=source.agreement, member=member, points=_POINTS, wait=30).settled()
            latencies.append(time.perf_counter() - began)
        return latencies

    began = time.perf_counter()
    with ThreadPoolExecutor(_SDK_THREADS) as pool:
        latencies = [latency for some in pool.map(drive, range(_SDK_THREADS)) for latency in some]
    rate = len(latencies) / (time.perf_counter() - began)
    report("single_sdk", rate, "exchanges/s", exchanges=len(latencies), threads=_SDK_THREADS)
    _report_latencies("single_sdk", latencies)
