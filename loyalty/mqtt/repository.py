"""SQL of refused messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.mqtt.models import RefusedMessage, RefusedState


class RefusedMessageRepository:
    """Refused messages in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, message: RefusedMessage) -> None:
        """Keeps a message."""
        self._session.add(message)
        self._session.flush()

    def with_content(self, fingerprint: bytes) -> RefusedMessage | None:
        """The message with this topic and payload."""
        query = select(RefusedMessage).where(RefusedMessage.fingerprint == fingerprint)
        return self._session.scalars(query).one_or_none()

    def get(self, message: str, *, for_update: bool = False) -> RefusedMessage | None:
        """The message with this id."""
        return self._session.get(
            RefusedMessage, message, with_for_update=for_update or None, populate_existing=for_update
        )

    def open_count(self) -> int:
        """How many messages nobody has decided about."""
        query = select(func.count()).where(RefusedMessage.state == RefusedState.OPEN)
        return self._session.scalar(query) or 0

    def page(
        self, device: str | None, state: RefusedState | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[RefusedMessage], str | None]:
        """Messages, those that came first last."""
        query = select(RefusedMessage)
        if state is not None:
            query = query.where(RefusedMessage.state == state)
        if device is not None:
            query = query.where(RefusedMessage.device == device)
        return page_of(self._session, query, RefusedMessage.id, cursor, limit)

    def forget(self, before: datetime) -> None:
        """Forgets what has not come since a moment."""
        self._session.execute(delete(RefusedMessage).where(RefusedMessage.last_at < before))
