"""Tables of people, their sessions and recovery codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big, chosen, time_of_insert
from loyalty.staff.models import Role


class Person(Base):
    """Somebody of the staff, with one role. Nobody else ever knows the password: a link that works once sets it."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[Role] = mapped_column(chosen(Role))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    totp_secret: Mapped[str | None] = mapped_column(String(500))
    """The secret of the person's app for one-time codes, sealed."""
    totp_step: Mapped[int | None] = mapped_column(Big)
    """The last step whose code was used: a code is good once."""
    link_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    """Of the secret in the link with which the person sets password and app; None once that is done."""
    link_until: Mapped[datetime | None]
    joined_at: Mapped[datetime | None]
    """When the person had set both. Without it nobody signs in."""
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class RecoveryCode(Base):
    """A code that takes the place of a one-time code, once."""

    __tablename__ = "recovery_codes"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used_at: Mapped[datetime | None]


class StaffSession(Base):
    """Somebody who has signed in, with one browser."""

    __tablename__ = "staff_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    address: Mapped[str] = mapped_column(String(64))
    browser: Mapped[str] = mapped_column(String(200))
    """What the browser says that it is."""
    seen_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    """When it was used last, to the minute."""
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
