"""What has changed of customers whose pages are open. One look a second serves all of them together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from loyalty.activity.service import ActivityService
from loyalty.bonuses.service import BonusService
from loyalty.customer_sessions.service import CustomerSessionService, SignedInCustomer
from loyalty.customers.service import CustomerService
from loyalty.kit.database import Database, clock_of
from loyalty.kit.sessions import Limits
from loyalty.network.debts import DebtService
from loyalty.network.wishes import WishService
from pages.live import ENDED

log = structlog.get_logger(__name__)
PAUSE_SECONDS: Final = 1.0
"""Between two looks."""
MOST_OF_A_SESSION: Final = 6
"""Connections of one session: a browser opens no more to one server."""
_LONGEST: Final = timedelta(days=1_200)
"""Back to which what was bought is counted: no tier looks back further."""
CHANGED: Final = "points"
"""What a page is told: it looks for itself at what it may see."""


class TooManyConnections(Exception):
    """A session has as many as it may have."""


def seen_of(session: Session, customers: Collection[str]) -> Mapping[str, str]:
    """Something for each customer that is another one as soon as their pages show something else. A handful of queries for all."""
    today = clock_of(session).now().date()
    days = today - _LONGEST, today + timedelta(2)
    standing = CustomerService(session).standing_of(customers)
    bought = ActivityService(session).between([*customers], *days)
    given = BonusService(session).newest_of(customers)
    wishes = WishService(session).open_of(customers)
    owed = DebtService(session).owed_by(customers)
    parts = (standing, bought, given, wishes, owed)
    return {one: sha256(repr([part.get(one) for part in parts]).encode()).hexdigest()[:16] for one in customers}


@dataclass(eq=False, slots=True)
class _Connection:
    session: str
    customer: str
    seen: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended: bool = False


class Watcher:
    """Watches for the connections of one process. It looks only while there are some."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._connections: set[_Connection] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False
        self.looks = 0
        """How often it has looked."""

    def connect(self, signed_in: SignedInCustomer, seen: str) -> AsyncIterator[str]:
        """Says so whenever something differs from what a page has `seen`, until the session ends. Raises TooManyConnections."""
        counts = Counter(one.session for one in self._connections)
        if self._is_closed or counts[signed_in.session.id] >= MOST_OF_A_SESSION:
            raise TooManyConnections
        return self._told(_Connection(signed_in.session.id, signed_in.customer.id, seen))

    def close(self) -> None:
        """Ends all connections: the process is to end. Their browsers connect to another one."""
        self._is_closed = True
        for connection in self._connections:
            connection.news.set()

    async def _told(self, connection: _Connection) -> AsyncIterator[str]:
        self._connections.add(connection)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        try:
            while True:
                await connection.news.wait()
                connection.news.clear()
                if connection.has_ended:
                    yield ENDED
                if connection.has_ended or self._is_closed:
                    return
                yield CHANGED
        finally:
            self._connections.discard(connection)

    async def _look_on(self) -> None:
        """Looks, and pauses, as long as somebody watches. A database that does not answer is asked again."""
        while self._connections and not self._is_closed:
            watched = [*self._connections]
            try:
                seen, good = await run_in_threadpool(
                    self._look, {one.customer for one in watched}, {one.session for one in watched}
                )
            except SQLAlchemyError as error:
                log.warning("what changes is not seen", error=type(error).__name__)
            else:
                for one in watched:
                    self._tell(one, seen[one.customer], has_ended=one.session not in good)
            self.looks += 1
            await asyncio.sleep(PAUSE_SECONDS)
        self._looking = None

    @staticmethod
    def _tell(connection: _Connection, seen: str, *, has_ended: bool) -> None:
        if has_ended or seen != connection.seen:
            connection.seen, connection.has_ended = seen, has_ended
            connection.news.set()

    def _look(self, customers: Collection[str], sessions: Collection[str]) -> tuple[Mapping[str, str], Collection[str]]:
        with self._database.reading() as session:
            return seen_of(session, customers), CustomerSessionService(session, self._limits).good(sessions)
