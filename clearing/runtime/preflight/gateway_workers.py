"""Checks how many processes of the gateway may share a port."""

from __future__ import annotations

from clearing.kit.config import Settings, variable
from clearing.runtime.preflight.refusal import CannotRun

_LAST_PORT = 65_535


def check_gateway_workers(settings: Settings) -> None:
    """Refuses several workers on SQLite, and more of them than there are ports for their metrics."""
    name, count = variable("gateway_workers"), settings.gateway_workers
    if count > 1 and settings.database_url.startswith("sqlite"):
        raise CannotRun(
            f"{name}: SQLite has one writer, so a second worker would only wait for the first; use PostgreSQL"
        )
    if settings.metrics_port is not None and settings.metrics_port + count - 1 > _LAST_PORT:
        raise CannotRun(
            f"{name}: each worker serves its metrics on a port of its own, and above {variable('metrics_port')}"
            f" {settings.metrics_port} there are not so many"
        )
