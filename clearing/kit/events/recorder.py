"""Writing events: what happened, to what, by whom, and which merchants may see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.bulk_insert import insert_rows
from clearing.kit.clock import clock_of
from clearing.kit.events.models import Event
from clearing.kit.events.types import is_audited
from clearing.kit.ids import new_id, new_ids

_COLUMNS = ("id", "type", "subject", "actor", "merchant_number", "stored", "source", "created_at")
_SILENT = "records no events"


def stop_recording(session: Session) -> None:
    """Lets the session record no events any more, because all that it does will be undone: the numbers of events that never
    come are gaps for which every reader of the events waits."""
    session.info[_SILENT] = True


@contextmanager
def recording_nothing(session: Session) -> Iterator[None]:
    """The same for a while: what the session does meanwhile is undone, and the rest is not."""
    was_silent = _SILENT in session.info
    stop_recording(session)
    try:
        yield
    finally:
        if not was_silent:
            del session.info[_SILENT]


class NewEvent(NamedTuple):
    """An event for one merchant. A tuple, because a block has thousands of them."""

    type: str
    subject: str
    merchant_number: int
    data: Mapping[str, Any]
    source: str | None = None
    """What its data is made of when somebody reads it; then `data` has what cannot be found there later."""


class EventRecorder:
    """Writes events in the transaction of what they report: both are there afterwards, or neither."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(
        self,
        type: str,  # noqa: A002
        subject: str,
        *,
        actor: str,
        merchants: Iterable[int] = (),
        data: Mapping[str, Any],
    ) -> None:
        """Writes the event once for each merchant that it concerns; once for nobody in particular where there is none.

        `type` is `source.action`, `subject` the id of what it happened to, `actor` an API key's id or a process. The operator,
        the treasury and auditors see every event.
        """
        if _SILENT in self._session.info:
            return
        at = clock_of(self._session).now()
        concerned: list[int] | list[None] = sorted(set(merchants)) or [None]
        audited = is_audited(type, actor)
        for position, merchant_number in enumerate(concerned):
            self._session.add(
                Event(
                    id=new_id("evt"),
                    type=type,
                    subject=subject,
                    actor=actor,
                    merchant_number=merchant_number,
                    data=dict(data),
                    created_at=at,
                    audited=True if audited and position == 0 else None,
                )
            )

    def record_all(self, events: Sequence[NewEvent], *, actor: str | Sequence[str], at: datetime | None = None) -> None:
        """Writes many events in one statement. `actor` caused them all; or a sequence names one for each. They happened `at` this
        moment; now, if it is missing."""
        if _SILENT in self._session.info:
            return
        at = at or clock_of(self._session).now()
        actors = [actor] * len(events) if isinstance(actor, str) else actor
        ids = new_ids(["evt"] * len(events))
        rows = [
            (id, event.type, event.subject, caused_by, event.merchant_number, event.data, event.source, at)
            for id, event, caused_by in zip(ids, events, actors, strict=True)  # noqa: A001
        ]
        insert_rows(self._session, Event, _COLUMNS, rows)
