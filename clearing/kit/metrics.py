"""What Prometheus is told. Each process counts what it does itself; what the database knows is looked up for every question.

`serving` answers on a port of its own, away from the API: who may reach it is a matter of the network, not of a key.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from prometheus_client import Counter, Histogram

from clearing.kit.clock import now

log = structlog.get_logger(__name__)

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)

TIME_TO_SETTLE = Histogram(
    "tongdui_time_to_settle_seconds",
    "From an order's acceptance to its end, as the projector sees it",
    buckets=_SECONDS,
)
ORDERS_ENDED = Counter("tongdui_orders_ended_total", "Orders that became final", ["state"])
BATCH_ENTRIES = Histogram(
    "tongdui_batch_entries", "Entries of a batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
)
BATCH_GAS = Histogram(
    "tongdui_batch_gas", "Gas that a batch used", buckets=[n * 1_000_000 for n in (0.1, 0.2, 0.5, 1, 2, 4, 8, 12, 16)]
)
BATCHES = Counter("tongdui_batches_total", "Batches that a block contains", ["outcome"])
SENT = Counter("tongdui_transactions_sent_total", "Transactions sent to the node, again or for the first time")
REFUSED = Counter("tongdui_transactions_refused_total", "Transactions that the node refused", ["kind"])
BLOCKS_REMOVED = Counter("tongdui_blocks_removed_total", "Blocks that fell out of the chain")
EVENTS_QUARANTINED = Counter("tongdui_events_quarantined_total", "Events that could not be read or applied")
STEPS_FAILED = Counter(
    "tongdui_daemon_steps_failed_total", "Steps of a daemon that failed and are tried again", ["daemon"]
)
TASK_SECONDS = Histogram("tongdui_task_seconds", "Duration of a background task", ["task", "outcome"], buckets=_SECONDS)


def batch_projected(entries: int, gas_used: int) -> None:
    """A batch is in a block."""
    BATCHES.labels("mined").inc()
    BATCH_ENTRIES.observe(entries)
    BATCH_GAS.observe(gas_used)


def order_ended(state: str, accepted_at: datetime) -> None:
    """An order became final on chain."""
    ORDERS_ENDED.labels(state).inc()
    TIME_TO_SETTLE.observe(max((now() - accepted_at).total_seconds(), 0.0))


@contextmanager
def task(name: str) -> Iterator[None]:
    """Around a background task: how long it took, and whether it failed."""
    begin = time.monotonic()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        TASK_SECONDS.labels(name, outcome).observe(time.monotonic() - begin)
