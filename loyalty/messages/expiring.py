"""Hears from the network whose points will expire, and has those customers be told: 30 days, 7 days and a day before.

What was heard is kept in the transaction that has somebody be told, so a listener that dies goes on where it was.
"""

from __future__ import annotations

from threading import Event
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from loyalty.customers.repository import CustomerRepository
from loyalty.kit.database import Database, lock
from loyalty.messages.service import MessageService
from loyalty.network.news import ForgottenEvent, News, Reminder

log = structlog.get_logger(__name__)
TOPIC: Final = "points.expiring"


class ExpiryListener:
    """Listens for a programme. Two at once do no harm."""

    def __init__(self, database: Database, news: News, pause: float) -> None:
        self._database = database
        self._news = news
        self._pause = pause

    def run(self, stop: Event) -> None:
        """Listens until `stop`. A network or a database that is away is waited for."""
        while not stop.is_set():
            try:
                self.listen(stop)
            except DBAPIError as error:
                log.warning("the database is unavailable", detail=str(error.orig)[:300])
            except Exception as error:  # noqa: BLE001 (whatever the network answers, customers are to be told of it later)
                log.warning("the network was not heard", error=str(error)[:300])
            stop.wait(self._pause)

    def listen(self, stop: Event) -> None:
        """Hears one thing after the other until `stop`."""
        with self._database.reading() as session:
            last = MessageService(session).heard_until(TOPIC)
        if last is None:
            last = self.catch_up()
        if last is None:  # the network has never said anything to this merchant
            return
        try:
            for said in self._news.expiring_after(last):
                self.hear(said)
                if stop.is_set():
                    return
        except ForgottenEvent:
            self.catch_up()

    def catch_up(self) -> str | None:
        """Hears all that was said before; the id of the event after which to go on."""
        newest = self._news.newest()
        for said in self._news.expiring():
            self.hear(said)
        if newest is not None:
            with self._database.session.begin() as session:
                lock(session, TOPIC)
                MessageService(session).hear(TOPIC, newest)
        return newest

    def hear(self, said: Reminder) -> None:
        """Has a customer be told, unless they were, or are nobody of this programme."""
        with self._database.session.begin() as session:
            lock(session, TOPIC)
            messages = MessageService(session)
            if said.customer is not None and CustomerRepository(session).get(said.customer) is not None:
                values = {
                    "points": said.points,
                    "program": said.program,
                    "expires_on": said.expires_on.isoformat(),
                    "days": said.days,
                }
                matter = f"expiring:{said.program}:{said.expires_on}:{said.days}"
                messages.notify(said.customer, "points_expiring", matter, values, good_until=said.expires_on)
            messages.hear(TOPIC, said.event)
