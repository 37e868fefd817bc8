"""Audits as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from console.audit_jobs.runs import Run


def node_name(address: str) -> str:
    """What a node is called: its host. The rest of its address may hold a password."""
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def node_options(addresses: list[str]) -> list[tuple[str, str]]:
    """The nodes to choose from, by their places in the settings."""
    return [(str(place), node_name(address)) for place, address in enumerate(addresses)]


def moment_of(seconds: int | None) -> datetime | None:
    """Unix seconds as a moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def nodes_of(run: Run) -> list[str]:
    """The nodes that an audit asks."""
    return [node_name(address) for address in run.asked["nodes"]]
