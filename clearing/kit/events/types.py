"""Types of events, and the patterns by which somebody asks for some of them."""

from __future__ import annotations

from collections.abc import Iterable


def matches_any(patterns: Iterable[str], event_type: str) -> bool:
    """Whether one of the patterns, such as `order.settled` or `order.*`, covers this type."""
    return any(_matches(pattern, event_type) for pattern in patterns)


_FREQUENT_SOURCES = ("order.", "hold.", "member.code_")
_FREQUENT_ACTION = ".received"


def is_frequent(event_type: str) -> bool:
    """Whether every movement, hold or member code brings events of this type. All others say what somebody did to the network."""
    return event_type.startswith(_FREQUENT_SOURCES) or event_type.endswith(_FREQUENT_ACTION)


_PROCESSES = frozenset({"sequencer", "projector", "worker", "gateway"})
_ROUTINE = frozenset(
    {"member.registered", "member.claimed", "member.external_id_added", "member.external_id_retired"}
    | {"member.link_code_created"}
)
"""What a till does all day."""


def is_audited(event_type: str, actor: str) -> bool:
    """Whether an event belongs into the audit log: somebody did something to the network that is not everyday trade."""
    return actor not in _PROCESSES and not is_frequent(event_type) and event_type not in _ROUTINE


def _matches(pattern: str, event_type: str) -> bool:
    return pattern == event_type or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
