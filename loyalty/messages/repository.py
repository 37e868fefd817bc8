"""SQL of messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.kit.bulk_insert import insert_all
from loyalty.kit.paging import page_of
from loyalty.messages.models import Delivery, DeliveryOutcome, HeardUntil, KeptKind, Message, MessageState


class MessageRepository:
    """Messages in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Message | Delivery | KeptKind | HeardUntil) -> None:
        """Adds a row."""
        self._session.add(row)
        self._session.flush()

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds many new messages, as rows."""
        insert_all(self._session, Message, rows)

    def flush(self) -> None:
        """Writes what has changed."""
        self._session.flush()

    # ---------------------------------------------------------------- messages

    def get(self, message: str, *, for_update: bool = False) -> Message | None:
        """The message with this id."""
        return self._session.get(Message, message, with_for_update=for_update or None, populate_existing=for_update)

    def about(self, customer: str, matter: str) -> Message | None:
        """What a customer is or was told of a matter."""
        query = select(Message).where(Message.customer_id == customer, Message.matter == matter)
        return self._session.scalars(query.with_for_update()).one_or_none()

    def waiting_of(self, customer: str, kind: str) -> Sequence[Message]:
        """What of a kind waits for a customer."""
        query = select(Message).where(Message.customer_id == customer, Message.kind == kind)
        return self._session.scalars(query.where(Message.state == MessageState.WAITING).with_for_update()).all()

    def due(self, now: datetime, limit: int) -> Sequence[Message]:
        """What waits and is due, the oldest first."""
        query = select(Message).where(Message.state == MessageState.WAITING, Message.due_at <= now)
        return self._session.scalars(query.order_by(Message.due_at, Message.id).limit(limit).with_for_update()).all()

    def left_behind(self, now: datetime, limit: int) -> Sequence[Message]:
        """What a messenger that is gone was handing over."""
        query = select(Message).where(Message.state == MessageState.SENDING, Message.leased_until < now)
        return self._session.scalars(query.limit(limit).with_for_update()).all()

    def page(
        self, customer: str | None, kind: str | None, state: MessageState | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Message], str | None]:
        """Messages, newest first: of a customer, of a kind, in a state."""
        query = select(Message)
        if customer is not None:
            query = query.where(Message.customer_id == customer)
        if kind is not None:
            query = query.where(Message.kind == kind)
        if state is not None:
            query = query.where(Message.state == state)
        return page_of(self._session, query, Message.id, cursor, limit)

    # ---------------------------------------------------------------- deliveries

    def delivery(self, delivery: str) -> Delivery | None:
        """The try with this id."""
        return self._session.get(Delivery, delivery)

    def deliveries_of(self, message: str) -> Sequence[Delivery]:
        """The tries of a message, the first one first."""
        query = select(Delivery).where(Delivery.message_id == message)
        return self._session.scalars(query.order_by(Delivery.id)).all()

    def last_deliveries(self, messages: Collection[str]) -> Sequence[Delivery]:
        """The last try of each of these messages that was tried."""
        last = select(func.max(Delivery.id)).where(Delivery.message_id.in_(messages)).group_by(Delivery.message_id)
        return self._session.scalars(select(Delivery).where(Delivery.id.in_(last))).all()

    def sent_since(self, customer: str, since: datetime) -> int:
        """How often a customer was told something since a moment, or may have been."""
        query = select(func.count()).where(Delivery.customer_id == customer, Delivery.begun_at >= since)
        return self._session.scalar(query.where(Delivery.outcome != DeliveryOutcome.NOT_SENT)) or 0

    # ---------------------------------------------------------------- what staff and the network say

    def kind(self, kind: str, *, for_update: bool = False) -> KeptKind | None:
        """What staff have decided of a kind."""
        return self._session.get(KeptKind, kind, with_for_update=for_update or None, populate_existing=for_update)

    def kinds(self) -> Sequence[KeptKind]:
        """What staff have decided of all kinds."""
        return self._session.scalars(select(KeptKind)).all()

    def heard_until(self, topic: str) -> HeardUntil | None:
        """How far a topic was heard."""
        return self._session.get(HeardUntil, topic)
