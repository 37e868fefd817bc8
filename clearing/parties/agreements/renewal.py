"""Invariant 7: where points could renew their expiry by being exchanged in a cycle, both merchants are warned before they sign."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from clearing.parties.agreements.cycles import Exchange

Place = tuple[int, bool]
"""Where a point is on its way (program), and whether its expiry may have moved since it left."""


def renewing_cycle(existing: Iterable[Exchange], new: Exchange) -> tuple[int, ...] | None:
    """The shortest way on which points go through `new` and come back with a later expiry, or None.

    It begins and ends with the program that `new` takes points from. One exchange on the way that renews the expiry is enough:
    the ones behind it that keep the expiry keep the renewed one.
    """
    leaving: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in existing:
        leaving[exchange.source].append(exchange)
    begin, goal = (new.target, new.renews), (new.source, True)
    came_from: dict[Place, Place | None] = {begin: None}
    waiting = deque([begin])
    while waiting and goal not in came_from:
        program, renewed = place = waiting.popleft()
        for exchange in leaving[program]:
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
