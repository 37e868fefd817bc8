"""Table of mails."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, choice, partial_index


class MailKind(StrEnum):
    """What a mail is about. Its text is made when it is sent."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 (a word, no secret)


class MailState(StrEnum):
    """A `failed` mail was given up. A `dropped` one had nobody to go to, or came too late to be of use."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class Mail(Base):
    """One mail. It holds no text and no secret: both are made anew from what it is about."""

    __tablename__ = "mails"
    __table_args__ = (partial_index("mails_pending_due_index", "next_attempt_at", where="state = 'pending'"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[MailKind] = mapped_column(choice(MailKind))
    about: Mapped[str] = mapped_column(String(40), index=True)
    """Id of what the mail is about: an invitation, a password reset."""
    state: Mapped[MailState] = mapped_column(choice(MailState), default=MailState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    answer: Mapped[str | None] = mapped_column(String(300), default=None)
    """What the server said to the last attempt that failed."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
