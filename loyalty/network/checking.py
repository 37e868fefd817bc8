"""The nightly check, both ways: what is settled here is on the chain with the same points, and what is there as ours is known here.

It is incremental. A settled wish is compared once; the network's movements are listed from shortly before the end of the last run,
because a movement may have been accepted, but not committed, while that one listed. What was compared twice is found once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from loyalty.kit.database import Database, in_pieces
from loyalty.kit.ids import new_id
from loyalty.network.difference_repository import DifferenceRepository
from loyalty.network.differences import DifferenceService
from loyalty.network.kinds import KINDS
from loyalty.network.kinds.kind import MARK
from loyalty.network.models import Check, Wish, WishState
from loyalty.network.wish_repository import WishRepository
from tongdui import Client, Entry, Movement, NotFoundError

log = structlog.get_logger(__name__)

_PIECE = 500
"""Wishes or movements that are compared at a time."""
_OVERLAP = timedelta(hours=1)
"""Longer than any request of the gateway takes."""
_CONTRADICTED = (WishState.REFUSED, WishState.RETRIED, WishState.WRITTEN_OFF, WishState.SET_OFF)
"""States that say that there is no movement."""


@dataclass(slots=True)
class Tally:
    """What a run has done."""

    wishes: int = 0
    movements: int = 0
    found: int = 0


class Checker:
    """Runs the check. Two at once do no harm."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    def run(self) -> Tally:
        """Compares all that is new since the last run. What it has found so far is kept if it fails."""
        begun = self._database.clock.now()
        tally = Tally()
        self._look_there(tally)
        self._look_here(tally)
        with self._database.session.begin() as session:
            check = Check(
                id=new_id("chk"), looked_until=begun, wishes=tally.wishes, movements=tally.movements, found=tally.found
            )
            DifferenceRepository(session).add(check)
        log.info("checked", wishes=tally.wishes, movements=tally.movements, found=tally.found)
        return tally

    # ---------------------------------------------------------------- here -> there

    def _look_there(self, tally: Tally) -> None:
        """Is what we believe settled on the chain?"""
        while wishes := self._uncompared():
            movements = self._movements_of(wishes)
            entries = self._entries_of(wish for wish in wishes if wish.reference not in movements)
            with self._database.session.begin() as session:
                differences = DifferenceService(session)
                for wish in wishes:
                    here = _of_wish(wish)
                    if wish.reference in movements:
                        there = _of_movement(movements[wish.reference])
                    else:
                        there = _of_entry(entries.get(wish.id), here)
                    if code := _code_of(here, there):
                        tally.found += differences.note(code, wish.id, wish.reference, here, there)
                WishRepository(session).mark_compared([wish.id for wish in wishes], self._database.clock.now())
            tally.wishes += len(wishes)

    def _uncompared(self) -> Sequence[Wish]:
        with self._database.reading() as session:
            return WishRepository(session).uncompared(_PIECE)

    def _movements_of(self, wishes: Iterable[Wish]) -> dict[str, Movement]:
        found = {}
        for kind in KINDS:
            references = [wish.reference for wish in wishes if wish.kind == kind]
            for movement in self._client.movements.lookup(kind, references):
                found[str(movement.reference)] = movement
        return found

    def _entries_of(self, wishes: Iterable[Wish]) -> dict[str, Entry]:
        """The entries of wishes whose movement nobody finds any more, such as those of an erased member: an entry stays."""
        found = {}
        for wish in wishes:
            try:
                found[wish.id] = self._client.entries.get(str(wish.leaf))
            except NotFoundError:
                continue
        return found

    # ---------------------------------------------------------------- there -> here

    def _look_here(self, tally: Tally) -> None:
        """Is what the network has as ours known here?"""
        movements = (movement for kind in KINDS for movement in self._listed(kind))
        for some in in_pieces(movements, _PIECE):
            references = [str(movement.reference) for movement in some if movement.reference is not None]
            with self._database.session.begin() as session:
                wishes = WishRepository(session).with_references(references)
                differences = DifferenceService(session)
                for movement in some:
                    wish = wishes.get(str(movement.reference))
                    if code := _strangeness(wish, movement):
                        subject = movement.id if wish is None else wish.id
                        here = {} if wish is None else _of_wish(wish)
                        tally.found += differences.note(code, subject, movement.reference, here, _of_movement(movement))
            tally.movements += len(some)

    def _listed(self, kind: str) -> Iterable[Movement]:
        return self._client.movements.list(kind=kind, created_from=self._looked_until(), page_size=200)

    def _looked_until(self) -> datetime | None:
        with self._database.reading() as session:
            last = DifferenceRepository(session).last_check()
        return None if last is None else last.looked_until - _OVERLAP


def _code_of(here: Mapping[str, Any], there: Mapping[str, Any]) -> str | None:
    """How a settled wish and what the network has of it differ."""
    if there["state"] is None:
        return "missing_there"
    if there["state"] != WishState.SETTLED.value:
        return "not_settled_there"
    if (here["points"], here["program"]) != (there["points"], there["program"]):
        return "points_differ"
    return "leaf_differs" if here["leaf"] != there["leaf"] else None


def _strangeness(wish: Wish | None, movement: Movement) -> str | None:
    """What is odd about a movement of the network that carries our mark, or a reference of ours."""
    if wish is None:  # without our mark it is another program's of the merchant, such as that of an import
        return "unknown_here" if MARK in (movement.metadata or {}) else None
    stands = movement.is_settled or not movement.is_final
    return "refused_here" if stands and wish.state in _CONTRADICTED else None


def _of_wish(wish: Wish) -> dict[str, Any]:
    return {"state": wish.state.value, "program": wish.program, "points": wish.moving, "leaf": wish.leaf}


def _of_movement(movement: Movement) -> dict[str, Any]:
    entry = movement.entry
    return {
        "state": movement.state,
        "program": movement.program,
        "points": movement.points if entry is None else entry.points,
        "leaf": None if entry is None else entry.leaf,
        "movement": movement.id,
    }


def _of_entry(entry: Entry | None, here: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an entry, which says the program by its number only."""
    if entry is None:
        return {"state": None}
    return {
        "state": WishState.SETTLED.value,
        "program": here["program"],
        "points": entry.points,
        "leaf": entry.leaf,
    }
