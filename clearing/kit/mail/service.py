"""Writing mails that are to be sent."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.ids import new_id
from clearing.kit.mail.models import Mail, MailKind
from clearing.kit.mail.repository import MailRepository


def post_mail(session: Session, kind: MailKind, about: str) -> None:
    """Writes a mail in the transaction of what it is about: both are there afterwards, or neither."""
    at = clock_of(session).now()
    MailRepository(session).add(Mail(id=new_id("mai"), kind=kind, about=about, next_attempt_at=at, created_at=at))
