"""SQL of webhooks: endpoints, deliveries, and the events that will become deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, literal_column, or_, select, update
from sqlalchemy.orm import Session, aliased, defer

from clearing.kit.bulk_delete import delete_some
from clearing.kit.events.models import Event
from clearing.kit.in_list import in_list
from clearing.kit.paging import newest_first, where_given
from clearing.kit.upsert import insert_for
from clearing.notifications.webhooks.models import (
    DeliveryState,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
)

# Exactly the text of the partial indexes: given a parameter instead, SQLite would not use them.
_IS_PENDING: ColumnElement[DeliveryState] = literal_column("'pending'")
_PENDING = WebhookDelivery.state == _IS_PENDING
_CHUNK = 500


class EndpointRepository:
    """Endpoints in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, endpoint: WebhookEndpoint) -> None:
        """Stores an endpoint."""
        self._session.add(endpoint)
        self._session.flush()

    def by_id(self, id: str) -> WebhookEndpoint | None:  # noqa: A002
        """The endpoint with this id."""
        return self._session.get(WebhookEndpoint, id)

    def lock(self, id: str) -> WebhookEndpoint | None:  # noqa: A002
        """The endpoint with this id, locked until the transaction ends. Others can still add deliveries that refer to it."""
        lock = {"key_share": True}
        return self._session.get(WebhookEndpoint, id, with_for_update=lock, populate_existing=True)

    def list(self, *, merchant_number: int | None, after: str | None, limit: int) -> Sequence[WebhookEndpoint]:
        """Endpoints, newest first: one merchant's, or all."""
        query = where_given(select(WebhookEndpoint), (WebhookEndpoint.merchant_number, merchant_number))
        return self._session.scalars(newest_first(query, WebhookEndpoint.id, after, limit)).all()

    def count(self, merchant_number: int) -> int:
        """How many endpoints a merchant has."""
        query = select(func.count()).where(WebhookEndpoint.merchant_number == merchant_number)
        return self._session.scalar(query) or 0

    def all(self) -> Sequence[WebhookEndpoint]:
        """Every endpoint, disabled ones too: their deliveries wait until they are enabled again."""
        return self._session.scalars(select(WebhookEndpoint)).all()

    def remove(self, endpoint: WebhookEndpoint) -> None:
        """Removes an endpoint with its deliveries."""
        self._session.execute(delete(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id))
        self._session.delete(endpoint)


class DeliveryRepository:
    """Deliveries in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, endpoint_id: str, events: Sequence[Event], at: datetime) -> None:
        """Adds deliveries of these events to an endpoint. Leaves those that exist as they are."""
        for start in range(0, len(events), _CHUNK):
            rows = [
                {
                    "endpoint_id": endpoint_id,
                    "event_seq": event.seq,
                    "subject": event.subject,
                    "state": DeliveryState.PENDING,
                    "attempts": 0,
                    "next_attempt_at": at,
                    "created_at": at,
                }
                for event in events[start : start + _CHUNK]
            ]
            self._session.execute(insert_for(self._session)(WebhookDelivery).values(rows).on_conflict_do_nothing())

    def again(self, endpoint_id: str, events: Sequence[Event], at: datetime) -> None:
        """Adds deliveries of these events to an endpoint; those that exist start again."""
        self.add(endpoint_id, events, at)
        for start in range(0, len(events), _CHUNK):
            numbers = [event.seq for event in events[start : start + _CHUNK]]
            self._session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.event_seq.in_(numbers))
                .values(state=DeliveryState.PENDING, attempts=0, next_attempt_at=at, created_at=at)
            )

    def any_due(self, at: datetime) -> bool:
        """Whether any delivery is due."""
        return self._session.scalar(select(WebhookDelivery.id).where(*_due(at)).limit(1)) is not None

    def claim(self, at: datetime, until: datetime, limit: int) -> list[tuple[WebhookDelivery, WebhookEndpoint, Event]]:
        """Claims deliveries that are due: nobody else will take them before `until`. Takes only the oldest of each subject,
        because an event waits for the one before it."""
        query = (
            select(WebhookDelivery, WebhookEndpoint, Event)
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .join(Event, Event.seq == WebhookDelivery.event_seq)
            .where(*_due(at))
            .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.event_seq)
            .limit(limit)
            .with_for_update(of=WebhookDelivery, skip_locked=True)
        )
        claimed = [(delivery, endpoint, event) for delivery, endpoint, event in self._session.execute(query)]
        for delivery, _, _ in claimed:
            delivery.next_attempt_at = until
            delivery.attempts += 1
            delivery.attempted_at = at
        self._session.flush()
        return claimed

    def lock(self, id: int) -> WebhookDelivery | None:  # noqa: A002
        """The delivery with this id, locked until the transaction ends. None if its endpoint was removed."""
        return self._session.get(WebhookDelivery, id, with_for_update=True, populate_existing=True)

    def list(
        self, endpoint_id: str, *, state: DeliveryState | None, after: int | None, limit: int
    ) -> Sequence[tuple[WebhookDelivery, Event]]:
        """An endpoint's deliveries with their events, newest first. `after` is the number of the previous page's last event."""
        mine = select(WebhookDelivery.id).where(WebhookDelivery.endpoint_id == endpoint_id)
        page = newest_first(where_given(mine, (WebhookDelivery.state, state)), WebhookDelivery.event_seq, after, limit)
        keys = page.subquery("page")
        query = (
            select(WebhookDelivery, Event)
            .join(keys, keys.c.id == WebhookDelivery.id)
            .join(Event, Event.seq == WebhookDelivery.event_seq)
            .order_by(WebhookDelivery.event_seq.desc())
        )
        rows = self._session.execute(query.options(defer(WebhookDelivery.tries)))
        return [(delivery, event) for delivery, event in rows]

    def one(self, endpoint_id: str, event_id: str) -> tuple[WebhookDelivery, Event] | None:
        """The delivery of an event to an endpoint, with the event."""
        query = (
            select(WebhookDelivery, Event)
            .join(Event, Event.seq == WebhookDelivery.event_seq)
            .where(Event.id == event_id, WebhookDelivery.endpoint_id == endpoint_id)
        )
        found = self._session.execute(query).first()
        return None if found is None else (found[0], found[1])

    def waiting(self) -> tuple[int, datetime | None]:
        """How many deliveries are pending, and since when the oldest is."""
        query = select(func.count(), func.min(WebhookDelivery.created_at)).where(_PENDING)
        count, oldest = self._session.execute(query).one()
        return count, oldest

    def used_events(self, numbers: Collection[int]) -> set[int]:
        """Those of the events with these numbers that are on their way to an endpoint, or whose outcome can be looked up."""
        query = select(WebhookDelivery.event_seq).where(in_list(self._session, WebhookDelivery.event_seq, numbers))
        return set(self._session.scalars(query))

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` deliveries older than this moment that are not pending, or whose endpoint is disabled; returns
        how many."""
        disabled = select(WebhookEndpoint.id).where(WebhookEndpoint.state == EndpointState.DISABLED)
        is_over = or_(WebhookDelivery.state != DeliveryState.PENDING, WebhookDelivery.endpoint_id.in_(disabled))
        return delete_some(self._session, WebhookDelivery, and_(WebhookDelivery.created_at < before, is_over), limit)


def _due(at: datetime) -> list[ColumnElement[bool]]:
    """Pending, and its time has come; no older delivery of its subject is pending; its endpoint is enabled and not resting."""
    older = aliased(WebhookDelivery)
    waits = (
        select(older.id)
        .where(
            older.endpoint_id == WebhookDelivery.endpoint_id,
            older.subject == WebhookDelivery.subject,
            older.event_seq < WebhookDelivery.event_seq,
            older.state == _IS_PENDING,
        )
        .exists()
    )
    rests = and_(
        WebhookEndpoint.id == WebhookDelivery.endpoint_id,
        or_(WebhookEndpoint.state != EndpointState.ENABLED, WebhookEndpoint.rests_until > at),
    )
    return [
        and_(_PENDING, WebhookDelivery.next_attempt_at <= at),
        ~waits,
        ~select(WebhookEndpoint.id).where(rests).correlate(WebhookDelivery).exists(),
    ]
