"""SQL of mails."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.mail.models import Mail, MailState


class MailRepository:
    """Mails in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, mail: Mail) -> None:
        """Stores a mail that is to be sent."""
        self._session.add(mail)
        self._session.flush()

    def any_due(self, at: datetime) -> bool:
        """Whether any mail is due."""
        return self._session.scalar(select(Mail.id).where(*_due(at)).limit(1)) is not None

    def claim(self, at: datetime, until: datetime, limit: int) -> Sequence[Mail]:
        """Claims mails that are due, oldest first: nobody else will take them before `until`."""
        query = select(Mail).where(*_due(at)).order_by(Mail.next_attempt_at, Mail.id).limit(limit)
        claimed = self._session.scalars(query.with_for_update(skip_locked=True)).all()
        for mail in claimed:
            mail.next_attempt_at = until
            mail.attempts += 1
        self._session.flush()
        return claimed

    def about(self, subjects: Collection[str]) -> dict[str, Mail]:
        """The last mail about each of these, by the id of what it is about."""
        query = select(Mail).where(Mail.about.in_(subjects)).order_by(Mail.id)
        return {mail.about: mail for mail in self._session.scalars(query)}

    def lock(self, id: str) -> Mail | None:  # noqa: A002
        """The mail as it is now. Nobody else can change it before this transaction ends."""
        return self._session.get(Mail, id, with_for_update=True, populate_existing=True)

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` mails that were written before this moment; returns how many."""
        return delete_some(self._session, Mail, Mail.created_at < before, limit)


def _due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return Mail.state == MailState.PENDING, Mail.next_attempt_at <= at
