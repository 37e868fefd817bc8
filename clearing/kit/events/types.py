"""Types of events, and the patterns by which somebody asks for some of them."""

from __future__ import annotations

from collections.abc import Iterable


def matches_any(patterns: Iterable[str], event_type: str) -> bool:
    """Whether one of the patterns, such as `order.settled` or `order.*`, covers this type."""
    return any(_matches(pattern, event_type) for pattern in patterns)


def _matches(pattern: str, event_type: str) -> bool:
    return pattern == event_type or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
