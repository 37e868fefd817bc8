"""Invariant 7: where points could renew their expiry by being exchanged in a cycle, both merchants are warned before they sign."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from clearing.parties.agreements.cycles import Exchange

Place = tuple[int, bool]
"""Where a point is on its way (program), and whether its expiry may have moved since it left."""


def by_source(exchanges: Iterable[Exchange]) -> dict[int, list[Exchange]]:
    """Exchanges by the program from which they take points."""
    leaving: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        leaving[exchange.source].append(exchange)
    return leaving


def renewing_cycle(existing: Mapping[int, Sequence[Exchange]], new: Exchange) -> tuple[int, ...] | None:
    """The shortest way on which points go through `new` and come back with a later expiry, or None.

    `existing` are the other exchanges, by their source. The way begins and ends with the program that `new` takes points from. One
    exchange on it that renews the expiry is enough: the ones behind it that keep the expiry keep the renewed one.
    """
    begin, goal = (new.target, new.renews), (new.source, True)
    came_from: dict[Place, Place | None] = {begin: None}
    waiting = deque([begin])
    while waiting and goal not in came_from:
        program, renewed = place = waiting.popleft()
        for exchange in existing.get(program, ()):
            reached = (exchange.target, renewed or exchange.renews)
            if reached not in came_from:
                came_from[reached] = place
                waiting.append(reached)
    return (new.source, *_way(came_from, goal)) if goal in came_from else None


def _way(came_from: dict[Place, Place | None], goal: Place) -> list[int]:
    """The programs from the first place to the goal."""
    programs: list[int] = []
    place: Place | None = goal
    while place is not None:
        programs.append(place[0])
        place = came_from[place]
    return programs[::-1]
