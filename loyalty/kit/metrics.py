"""What Prometheus is told. Counters count in the process that serves them; gauges are read from the database at each scrape."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "loyalty_requests",
            "Requests, by method, route and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.wishes = Gauge(
            "loyalty_wishes", "Wishes that are not settled, by state", ["state"], registry=self.registry
        )
        self.oldest = Gauge(
            "loyalty_wishes_oldest_seconds",
            "Age of the oldest wish that the network has not decided",
            registry=self.registry,
        )
        self.owed = Gauge(
            "loyalty_points_owed", "Points that customers owe, by program", ["program"], registry=self.registry
        )
        self.orders = Gauge("loyalty_orders_open", "Orders that the network has not decided", registry=self.registry)
        self.failing = Gauge(
            "loyalty_orders_failing",
            "Orders that the network did not take when they were last sent",
            registry=self.registry,
        )
        self.differences = Gauge(
            "loyalty_differences_open", "Differences of the check that nobody has closed", registry=self.registry
        )
        self.checked = Gauge(
            "loyalty_check_seconds",
            "Time since the last check that came to its end; since the first wish if there was none",
            registry=self.registry,
        )
