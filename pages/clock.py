"""The time, for what pages show and offer. Whether something is in time the gateway decides."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 (only what a page shows)


def seconds_until(moment: datetime) -> int:
    """Whole seconds until a moment; 0 if it has passed."""
    return max(0, int((moment - now()).total_seconds()))
