"""Prometheus counters: each process counts what it does itself. The collector (`runtime`) reads the rest from the database.

Whoever counts something that an alert waits for names its labels when it begins: a series that begins with its first event does not
look like one that grows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)

TIME_TO_SETTLE = Histogram(
    "tongdui_time_to_settle_seconds",
    "Time from accepting an order until the projector sees it final",
    buckets=_SECONDS,
)
ORDERS_ENDED = Counter("tongdui_orders_ended_total", "Orders that have become final", ["state"])
BATCH_ENTRIES = Histogram(
    "tongdui_batch_entries", "Entries in a batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
)
BATCH_GAS = Histogram(
    "tongdui_batch_gas", "Gas that a batch used", buckets=[n * 1_000_000 for n in (0.1, 0.2, 0.5, 1, 2, 4, 8, 12, 16)]
)
GROUP_ORDERS = Histogram(
    "tongdui_group_orders",
    "Orders that one transaction of the gateway accepts together",
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
BATCHES = Counter("tongdui_batches_total", "Batches in blocks", ["outcome"])
for _outcome in ("mined", "reverted"):
    BATCHES.labels(_outcome)
SENT = Counter("tongdui_transactions_sent_total", "Transactions sent to the node, repetitions included")
REFUSED = Counter("tongdui_transactions_refused_total", "Transactions that the node refused", ["kind"])
BLOCKS_REMOVED = Counter("tongdui_blocks_removed_total", "Blocks that the chain replaced")
EVENTS_QUARANTINED = Counter("tongdui_events_quarantined_total", "Chain events that could not be read or applied")
STEPS_FAILED = Counter(
    "tongdui_daemon_steps_failed_total", "Steps of a daemon that failed and will be tried again", ["daemon"]
)
for _daemon in ("sequencer", "signer", "projector"):
    STEPS_FAILED.labels(_daemon)
ROLLED_BACK = Counter(
    "tongdui_transactions_rolled_back_total",
    "Database transactions that the database rolled back, because of a deadlock or because others were faster",
    ["cause"],
)
REQUESTS_REFUSED = Counter("tongdui_requests_refused_total", "Requests that the gateway has refused", ["code"])
REQUESTS_LIMITED = Counter("tongdui_requests_limited_total", "Requests that a rate limit has refused", ["kind"])
RATE_LIMIT_STORAGE_FAILURES = Counter(
    "tongdui_rate_limit_storage_failures_total",
    "Times that Redis did not answer, and each process counted alone for a while",
)
JOB_SECONDS = Histogram("tongdui_job_seconds", "Duration of a job", ["name", "outcome"], buckets=_SECONDS)


def batch_projected(entries: int, gas_used: int) -> None:
    """Counts a batch that is in a block."""
    BATCHES.labels("mined").inc()
    BATCH_ENTRIES.observe(entries)
    BATCH_GAS.observe(gas_used)


def order_ended(state: str, seconds: float) -> None:
    """Counts an order that became final, so many seconds after it was accepted."""
    ORDERS_ENDED.labels(state).inc()
    TIME_TO_SETTLE.observe(max(seconds, 0.0))


@contextmanager
def job(name: str) -> Iterator[None]:
    """Measures the job that runs inside: how long it took, and whether it failed."""
    begin = time.monotonic()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        JOB_SECONDS.labels(name, outcome).observe(time.monotonic() - begin)
