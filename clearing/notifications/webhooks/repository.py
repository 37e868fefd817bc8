"""SQL of webhooks: endpoints, deliveries, and the events that will become deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, delete, func, literal_column, or_, select, update
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
from clearing.notifications.webhooks.slots import Candidate

# Exactly the text of the partial indexes: given a parameter instead, SQLite would not use them.
_IS_PENDING: ColumnElement[DeliveryState] = literal_column("'pending'")
_PENDING = WebhookDelivery.state == _IS_PENDING
_CHUNK = 500


Claimed = tuple[WebhookDelivery, WebhookEndpoint, Event]


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

    def replays(self, merchant_number: int, since: datetime, *, but: str) -> int:
        """How many replays were counted for a merchant's endpoints since a moment, except for one endpoint."""
        query = select(func.coalesce(func.sum(WebhookEndpoint.replays), 0)).where(
            WebhookEndpoint.merchant_number == merchant_number,
            WebhookEndpoint.replays_since > since,
            WebhookEndpoint.id != but,
        )
        return int(self._session.scalar(query) or 0)

    def all(self) -> Sequence[WebhookEndpoint]:
        """Every endpoint, disabled ones too: their deliveries wait until they are enabled again."""
        return self._session.scalars(select(WebhookEndpoint)).all()

    def failing_since(self) -> Sequence[tuple[int, datetime]]:
        """The merchants that have an enabled endpoint that fails, each with the moment since when the first of them does."""
        query = select(WebhookEndpoint.merchant_number, func.min(WebhookEndpoint.failing_since)).where(
            WebhookEndpoint.state == EndpointState.ENABLED, WebhookEndpoint.failing_since.is_not(None)
        )
        rows = self._session.execute(query.group_by(WebhookEndpoint.merchant_number)).all()
        return [(number, since) for number, since in rows if since is not None]

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

    def candidates(self, at: datetime) -> list[Candidate]:
        """The endpoints that have something due or on its way. (Whether what is due waits for another event, `due` knows.)"""
        mine = WebhookDelivery.endpoint_id == WebhookEndpoint.id
        in_flight = select(func.count()).where(mine, WebhookDelivery.claimed_until > at).scalar_subquery()
        oldest = (
            select(WebhookDelivery.next_attempt_at)
            .where(mine, _PENDING, WebhookDelivery.next_attempt_at <= at)
            .order_by(WebhookDelivery.next_attempt_at)
            .limit(1)
            .scalar_subquery()
        )
        due_since = case((_is_open(at), oldest), else_=None)
        query = select(
            WebhookEndpoint.id, WebhookEndpoint.merchant_number, WebhookEndpoint.failures > 0, in_flight, due_since
        )
        found = (Candidate(*row) for row in self._session.execute(query))
        return [one for one in found if one.in_flight or one.due_since is not None]

    def due(self, endpoint_id: str, at: datetime, limit: int) -> list[Claimed]:
        """Deliveries of an endpoint that are due, locked. Only the oldest of each subject, because an event waits for the one
        before it; and none that is on its way, even if somebody has asked for it again."""
        older = aliased(WebhookDelivery)
        waits = select(older.id).where(
            older.endpoint_id == WebhookDelivery.endpoint_id,
            older.subject == WebhookDelivery.subject,
            older.event_seq < WebhookDelivery.event_seq,
            older.state == _IS_PENDING,
        )
        unclaimed = or_(WebhookDelivery.claimed_until.is_(None), WebhookDelivery.claimed_until <= at)
        query = (
            select(WebhookDelivery, WebhookEndpoint, Event)
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .join(Event, Event.seq == WebhookDelivery.event_seq)
            .where(WebhookDelivery.endpoint_id == endpoint_id, _PENDING, WebhookDelivery.next_attempt_at <= at)
            .where(unclaimed, ~waits.exists(), _is_open(at))
            .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.event_seq)
            .limit(limit)
            .with_for_update(of=WebhookDelivery, skip_locked=True)
        )
        return [(delivery, endpoint, event) for delivery, endpoint, event in self._session.execute(query)]

    def claim(self, claimed: Iterable[Claimed], at: datetime, until: datetime) -> None:
        """Claims these deliveries: nobody else will take them before `until`."""
        for delivery, _, _ in claimed:
            delivery.next_attempt_at = delivery.claimed_until = until
            delivery.attempts += 1
            delivery.attempted_at = at
        self._session.flush()

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


def _is_open(at: datetime) -> ColumnElement[bool]:
    """Whether an endpoint is enabled and does not rest."""
    rests = WebhookEndpoint.rests_until
    return and_(WebhookEndpoint.state == EndpointState.ENABLED, or_(rests.is_(None), rests <= at))
