"""Who a fill is for: which plate or card belongs to which fill. Pure, so the order in which events come does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """A fill in time. `is_running` if its end is only a guess."""

    fill: str
    number: str
    started_at: datetime
    ends_at: datetime
    is_running: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """A plate that was seen or a card that was shown. `order` tells two of one moment apart."""

    at: datetime
    is_card: bool
    customer: str | None
    shown: str
    order: str


def recognise(spans: Iterable[Span], sightings: Iterable[Sighting], window: timedelta) -> Mapping[str, Sighting]:
    """The sighting that counts for each fill.

    A sighting is the first fill's that had not ended then and began within the window. Of several, one by which a customer is known
    comes first, then a card before a plate, then the last one.
    """
    ended = _ended(sorted(spans, key=lambda one: (one.started_at, one.ends_at, one.number)))
    best: dict[str, Sighting] = {}
    for sighting in sightings:
        possible = [one for one in ended if one.started_at - window <= sighting.at <= one.ends_at]
        if possible:
            fill = min(possible, key=lambda one: (one.ends_at, one.started_at, one.number)).fill
            if fill not in best or _weight(sighting) > _weight(best[fill]):
                best[fill] = sighting
    return best


def _ended(spans: Sequence[Span]) -> list[Span]:
    """A fill that runs has ended when the next one began."""
    found = []
    for at, span in enumerate(spans):
        following = next((one.started_at for one in spans[at + 1 :] if one.started_at > span.started_at), None)
        ends_at = min(span.ends_at, following) if span.is_running and following else span.ends_at
        found.append(Span(span.fill, span.number, span.started_at, ends_at, span.is_running))
    return found


def _weight(sighting: Sighting) -> tuple[bool, bool, datetime, str]:
    return sighting.customer is not None, sighting.is_card, sighting.at, sighting.order
