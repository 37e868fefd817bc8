"""The metrics of the network as a whole, and the port on which a process serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from threading import Thread
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.notifications.webhooks.repository import EndpointRepository
from clearing.oversight.approvals.repository import ApprovalRepository
from clearing.oversight.health.service import HealthService
from clearing.oversight.operations.repository import OverviewRepository
from clearing.oversight.reconciliation.models import Scope
from clearing.oversight.reconciliation.report_repository import ReportRepository

log = structlog.get_logger(__name__)

_RECONCILED = (
    ("tongdui_reconciled_age_seconds", None, "Time since the last reconciliation that found nothing"),
    ("tongdui_fully_reconciled_age_seconds", Scope.FULL, "Time since the last one of everything that found nothing"),
)


class NetworkCollector(Collector):
    """The state of the network: queue, lag behind the chain, positions; with a health service, what `/readyz` says. Read from the
    database at each scrape."""

    def __init__(self, database: Database, client: ChainClient, health: HealthService | None = None) -> None:
        self._database = database
        self._client = client
        self._health = health

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
        return [up, *families, *self._checks()]

    def _checks(self) -> Iterator[Metric]:
        if self._health is None:
            return
        health = self._health.check()
        checks = GaugeMetricFamily(
            "tongdui_check_ok", "Whether a check of /readyz finds nothing wrong", labels=["check"]
        )
        for field in fields(health):
            checks.add_metric([field.name], int(getattr(health, field.name).ok))
        yield checks

    def _from_database(self) -> tuple[list[Metric], int | None]:
        with self._database.reading() as session:
            repository = OverviewRepository(session)
            queue, now = repository.queue(), clock_of(session).now()
            positions = repository.positions()
            block = repository.block()
            families: list[Metric] = [
                _gauge("tongdui_queue_orders", "Orders that wait for a batch", queue.orders),
                _gauge("tongdui_queue_instructions", "Instructions that wait for a batch", queue.instructions),
                _gauge("tongdui_queue_oldest_seconds", "Age of the oldest order in the queue", queue.oldest_seconds),
                _gauge("tongdui_transactions_in_flight", "Transactions that no block contains", queue.in_flight),
                _gauge(
                    "tongdui_transactions_oldest_seconds",
                    "Age of the oldest transaction that no block contains",
                    _age(queue.in_flight_since, now),
                ),
                _gauge("tongdui_calls_waiting", "Privileged calls that wait for a transaction", queue.calls),
                _gauge("tongdui_sequencing_paused", "Whether the operator paused sequencing", int(queue.paused)),
                _gauge("tongdui_events_quarantined", "Chain events in quarantine", queue.quarantined),
                _gauge(
                    "tongdui_approvals_oldest_seconds",
                    "For how long the oldest request has waited for a second person's decision",
                    _age(ApprovalRepository(session).oldest_undecided(now), now),
                ),
                _failing_webhooks(session, now),
            ]
            for name, scope, text in _RECONCILED:
                if (reconciled := ReportRepository(session).last_clean_at(scope)) is not None:
                    families.append(_gauge(name, text, _age(reconciled, now)))
            if (newest := ReportRepository(session).newest()) is not None:
                text = "Differences that the newest reconciliation has found"
                families.append(_gauge("tongdui_reconciliation_drifts", text, newest.drifts))
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


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since is not None else 0.0


def _failing_webhooks(session: Session, now: datetime) -> Metric:
    text = "For how long the endpoint of a merchant has failed that has failed longest"
    failing = GaugeMetricFamily("tongdui_webhooks_failing_seconds", text, labels=["merchant"])
    for merchant_number, since in EndpointRepository(session).failing_since():
        failing.add_metric([str(merchant_number)], _age(since, now))
    return failing


@contextmanager
def serving(
    settings: Settings, database: Database, client: ChainClient, health: HealthService | None = None
) -> Iterator[None]:
    """Serves `/metrics` if the settings name a port. If the port is taken, that is logged and the process works all the same."""
    network = NetworkCollector(database, client, health)
    served = _serve(settings, network) if settings.metrics_port is not None else None
    try:
        yield
    finally:
        if served is not None:
            served[0].shutdown()
            served[0].server_close()


def _serve(settings: Settings, network: NetworkCollector) -> tuple[WSGIServer, Thread] | None:
    registry = CollectorRegistry()
    registry.register(_ProcessAndNetwork(network))
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
