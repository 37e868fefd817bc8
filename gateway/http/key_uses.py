"""When API keys, and the sessions of people, were last used: noted in memory by each request, and written now and then, beside the
requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

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
_SECONDS_OF_KEYS = 60
_SECONDS_OF_SESSIONS = 15
"""How finely it is written. A session ends a while after its last use, and that while may be a minute only."""


class KeyUses:
    """The uses of keys and sessions that this process has seen and not written yet."""

    def __init__(self) -> None:
        self.interval = _INTERVAL
        self._keys = _Uses(_SECONDS_OF_KEYS)
        self._sessions = _Uses(_SECONDS_OF_SESSIONS)

    def note(self, caller: Caller, at: datetime) -> None:
        """Notes that a key, or a person's session, is being used."""
        uses = self._keys if caller.person_id is None else self._sessions
        uses.noted[caller.key_id] = at

    def write(self, writing: Writing) -> None:
        """Writes what was noted: a key at most once a minute, a session four times as often."""
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
    """What was noted of one kind, by id; times are cut to so many seconds."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
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

    def _cut(self, at: datetime) -> datetime:
        return at.replace(second=at.second - at.second % self._seconds, microsecond=0)
