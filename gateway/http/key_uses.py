"""When API keys, and the sessions of people, were last used: noted in memory by each request, and written now and then, beside the
requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from threading import Lock

import anyio
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.parties.access.service import Caller
from clearing.parties.staff import bearers

log = structlog.get_logger(__name__)

Writing = Callable[[], AbstractContextManager[Session]]
"""Begins a transaction that may write."""
_INTERVAL = 10.0
"""Seconds between two writes. A crash in between loses what was noted: nobody relies on it to the minute."""
_LITTLE_TIME = timedelta(seconds=30)
"""A session that would be over so soon, by what is written, is noted at once. It is more than what may pass between two writes, and
less than the shortest time after which a session ends."""


class KeyUses:
    """The uses of keys and sessions that this process has seen and not written yet."""

    def __init__(self) -> None:
        self.interval = _INTERVAL
        self._keys = _Uses(_to_the_minute)
        self._sessions = _Uses(_exactly)
        self._turn = Lock()

    def note(self, caller: Caller, at: datetime) -> bool:
        """Notes that a key, or a person's session, is being used. True if it must be written at once, because the session would be
        over before the next write."""
        uses = self._keys if caller.person_id is None else self._sessions
        uses.noted[caller.key_id] = at
        return caller.idle_from is not None and caller.idle_from - at < _LITTLE_TIME

    def write(self, writing: Writing) -> None:
        """Writes what was noted: a key at most once a minute, a session whenever it was used."""
        with self._turn:
            self._write(writing)

    def _write(self, writing: Writing) -> None:
        keys, sessions = self._keys.taken(), self._sessions.taken()
        if not keys and not sessions:
            return
        try:
            with writing() as session:
                bearers.note_uses(session, keys, sessions)
        except SQLAlchemyError as error:
            log.warning("uses of keys are not noted", error=type(error).__name__)
            self._keys.give_back(keys)
            self._sessions.give_back(sessions)
        else:
            self._keys.written |= keys
            self._sessions.written |= sessions

    async def run(self, writing: Writing) -> None:
        """Writes now and then, for as long as the gateway runs."""
        while True:
            await anyio.sleep(self.interval)
            await to_thread.run_sync(self.write, writing)


class _Uses:
    """What was noted of one kind, by id; `cut` says how exactly times are written."""

    def __init__(self, cut: Callable[[datetime], datetime]) -> None:
        self._cut = cut
        self.noted: dict[str, datetime] = {}
        self.written: dict[str, datetime] = {}
        """With which time each was written last."""

    def taken(self) -> dict[str, datetime]:
        """What is to be written now."""
        noted, self.noted = self.noted, {}
        # A copy, made in one go: a request may be about to note something in what was just taken away.
        cut = {id: self._cut(at) for id, at in noted.copy().items()}  # noqa: A001
        return {id: at for id, at in cut.items() if self.written.get(id) != at}  # noqa: A001

    def give_back(self, taken: dict[str, datetime]) -> None:
        """Keeps for the next time what could not be written."""
        self.noted = taken | self.noted


def _to_the_minute(at: datetime) -> datetime:
    """So a key that is always in use is written once a minute."""
    return at.replace(second=0, microsecond=0)


def _exactly(at: datetime) -> datetime:
    """A session ends a while after its last use, and that while may be a minute only."""
    return at
