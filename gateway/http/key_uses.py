"""When API keys were last used: noted in memory by each request, and written now and then, beside the requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import anyio
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.parties.access.service import AccessService, Caller

log = structlog.get_logger(__name__)

Writing = Callable[[], AbstractContextManager[Session]]
"""Begins a transaction that may write."""
_INTERVAL = 10.0
"""Seconds between two writes. A crash in between loses what was noted: nobody relies on it to the minute."""


class KeyUses:
    """The uses of keys that this process has seen and not written yet."""

    def __init__(self) -> None:
        self.interval = _INTERVAL
        self._noted: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        """The minute with which each key was written last."""

    def note(self, caller: Caller, at: datetime) -> None:
        """Notes that a key is being used. People have sessions, which say it themselves."""
        if caller.person_id is None:
            self._noted[caller.key_id] = at

    def write(self, writing: Writing) -> None:
        """Writes what was noted: a key at most once a minute."""
        noted, self._noted = self._noted, {}
        minutes = {key_id: at.replace(second=0, microsecond=0) for key_id, at in noted.items()}
        news = {key_id: at for key_id, at in minutes.items() if self._written.get(key_id) != at}
        if not news:
            return
        try:
            with writing() as session:
                AccessService(session).note_uses(news)
        except SQLAlchemyError as error:
            log.warning("uses of keys are not noted", error=type(error).__name__)
        else:
            self._written |= news

    async def run(self, writing: Writing) -> None:
        """Writes now and then, for as long as the gateway runs."""
        while True:
            await anyio.sleep(self.interval)
            await to_thread.run_sync(self.write, writing)
