"""The metrics of the network as a whole, and the port on which a process serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.oversight.operations.repository import OverviewRepository
from clearing.oversight.reconciliation.models import Scope
from clearing.oversight.reconciliation.report_repository import ReportRepository

log = structlog.get_logger(__name__)

_RECONCILED = (
    ("tongdui_reconciled_age_seconds", None, "Time since the last reconciliation that found nothing"),
    ("tongdui_fully_reconciled_age_seconds", Scope.FULL, "Time since the last one of everything that found nothing"),
)


class NetworkCollector(Collector):
    """The state of the network: queue, lag behind the chain, positions. Read from the database at each scrape."""

    def __init__(self, database: Database, client: ChainClient) -> None:
        self._database = database
        self._client = client

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering needs no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Reads everything. A part that does not answer is reported as down, and the rest is reported all the same."""
        up = GaugeMetricFamily("tongdui_up", "Whether a part answers", labels=["part"])
        block: int | None = None
        try:
            families, block = self._from_database()
            up.add_metric(["database"], 1)
        except SQLAlchemyError:
            families = []
            up.add_metric(["database"], 0)
        try:
            head = self._client.head()
            up.add_metric(["chain"], 1)
            families.append(_gauge("tongdui_chain_head", "Number of the newest block", head))
            lag = head - (block if block is not None else -1)
            families.append(_gauge("tongdui_chain_lag_blocks", "Blocks by which the read model is behind", lag))
        except (ChainError, ChainUnreachable):
            up.add_metric(["chain"], 0)
        return [up, *families]

    def _from_database(self) -> tuple[list[Metric], int | None]:
        with self._database.reading() as session:
            repository = OverviewRepository(session)
            queue = repository.queue()
            positions = repository.positions()
            block = repository.block()
            families: list[Metric] = [
                _gauge("tongdui_queue_orders", "Orders that wait for a batch", queue.orders),
                _gauge("tongdui_queue_instructions", "Instructions that wait for a batch", queue.instructions),
                _gauge("tongdui_queue_oldest_seconds", "Age of the oldest order in the queue", queue.oldest_seconds),
                _gauge("tongdui_transactions_in_flight", "Transactions that no block contains", queue.in_flight),
                _gauge("tongdui_calls_waiting", "Privileged calls that wait for a transaction", queue.calls),
                _gauge("tongdui_sequencing_paused", "Whether the operator paused sequencing", int(queue.paused)),
                _gauge("tongdui_events_quarantined", "Chain events in quarantine", queue.quarantined),
            ]
            for name, scope, text in _RECONCILED:
                if (reconciled := ReportRepository(session).last_clean_at(scope)) is not None:
                    age = (clock_of(session).now() - reconciled).total_seconds()
                    families.append(_gauge(name, text, age))
            if block is not None:
                families.append(_gauge("tongdui_projected_block", "Newest block in the read model", block))
        labels = ["merchant"]
        position = GaugeMetricFamily("tongdui_position_micros", "Net settlement position", labels=labels)
        limit = GaugeMetricFamily(
            "tongdui_credit_limit_micros", "How far below zero the position may go", labels=labels
        )
        liquidity = GaugeMetricFamily("tongdui_liquidity_micros", "How much the merchant can still pay", labels=labels)
        for row in positions:
            label = [str(row.merchant_number)]
            position.add_metric(label, row.position)
            limit.add_metric(label, row.credit_limit)
            liquidity.add_metric(label, row.liquidity)
        return [*families, position, limit, liquidity], block


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


@contextmanager
def serving(settings: Settings, database: Database, client: ChainClient) -> Iterator[None]:
    """Serves `/metrics` if the settings name a port. If the port is taken, that is logged and the process works all the same."""
    served = _serve(settings, database, client) if settings.metrics_port is not None else None
    try:
        yield
    finally:
        if served is not None:
            served[0].shutdown()
            served[0].server_close()


def _serve(settings: Settings, database: Database, client: ChainClient) -> tuple[WSGIServer, Thread] | None:
    registry = CollectorRegistry()
    registry.register(_ProcessAndNetwork(NetworkCollector(database, client)))
    assert settings.metrics_port is not None
    try:
        return start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        log.warning("metrics are not served", port=settings.metrics_port, error=str(error))
        return None


class _ProcessAndNetwork(Collector):
    """What this process has counted, and the state of the network."""

    def __init__(self, network: NetworkCollector) -> None:
        self._network = network

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        yield from REGISTRY.collect()
        yield from self._network.collect()
