"""Events whose `data` is made when somebody reads it, because all that it says stands in other tables and never changes.

Whoever changes that after all writes the data down first (`write_out`): an event says for ever what it said at first
(docs/decisions/0041-a-movements-event-is-made-when-it-is-read.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.orm import Session


class Sourced(Protocol):
    """An event as far as its data is made of something."""

    subject: Any
    merchant_number: Any
    stored: Any
    source: Any
    created_at: Any
    made: dict[str, Any] | None
    data: Any


Source = Callable[[Session, Sequence[Sourced]], Sequence[Mapping[str, Any] | None]]
"""Makes the data of events. None for one whose data was written down since the event was read."""

_SOURCES: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Lets events name this source."""
    _SOURCES[name] = source


def make_data(session: Session, events: Iterable[Sourced]) -> None:
    """Makes the data of these events, all together."""
    by_source: dict[str, list[Sourced]] = defaultdict(list)
    for event in events:
        if event.source is not None and event.made is None:
            by_source[event.source].append(event)
    for name, some in by_source.items():
        for event, data in zip(some, _SOURCES[name](session, some), strict=True):
            if data is not None:
                event.made = dict(data)
            else:
                session.refresh(event)
                assert event.source is None, "what the data is made of never changes before it is written down"


def write_out(events: Iterable[Sourced]) -> None:
    """Writes the data of these events down, because what it is made of will change."""
    for event in events:
        event.data = event.data
