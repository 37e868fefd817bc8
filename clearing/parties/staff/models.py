"""Tables of staff: people, their seats, invitations, sessions, recovery codes, password resets, and failed sign-ins."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, Hash, choice, partial_index
from clearing.parties.staff.titles import Title


class Language(StrEnum):
    """In which a person reads mails and pages."""

    CHINESE = "zh"
    ENGLISH = "en"


class Person(Base):
    """Somebody who signs in. What the person may do hangs on seats."""

    __tablename__ = "staff_people"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    """As the person writes it."""
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    """The same for all ways of writing one address in large and small letters."""
    name: Mapped[str] = mapped_column(String(80))
    language: Mapped[Language] = mapped_column(choice(Language), default=Language.CHINESE)
    password_hash: Mapped[str | None] = mapped_column(String(200), default=None)
    """Argon2id, with its parameters. None: the person signs in at another issuer only."""
    must_change_password: Mapped[bool] = mapped_column(default=False)
    """Whether somebody else knows the password, because it was printed or set for the person."""
    totp_secret: Mapped[str | None] = mapped_column(default=None)
    """The secret that the person's app shares, sealed with the network's secret for this person."""
    totp_since: Mapped[datetime | None] = mapped_column(default=None)
    """When the person has shown a first code. Until then the secret is good for nothing."""
    totp_last_step: Mapped[int] = mapped_column(BigInt, default=0)
    """The step of time of the last code that was used: no code of it, or of an earlier one, is taken again."""
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)
    disabled_by_network: Mapped[bool] = mapped_column(default=False)
    """Whether the network has disabled the person: then no admin of a merchant lets it in again."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    @property
    def has_second_factor(self) -> bool:
        """Whether a password alone does not let the person in."""
        return self.totp_since is not None


class Seat(Base):
    """What a person is at a merchant, or in the network itself. A removed seat stays, for the audit log."""

    __tablename__ = "staff_seats"
    __table_args__ = (
        partial_index(
            "staff_seats_person_merchant_unique",
            "person_id",
            "merchant_number",
            where="removed_at IS NULL",
            unique=True,
        ),
        Index(
            "staff_seats_person_title_unique",
            "person_id",
            "title",
            unique=True,
            postgresql_where=text("removed_at IS NULL AND merchant_number IS NULL"),
            sqlite_where=text("removed_at IS NULL AND merchant_number IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("staff_people.id"))
    merchant_number: Mapped[int | None] = mapped_column(ForeignKey("merchants.number"), index=True, default=None)
    """None: a seat in the network itself."""
    title: Mapped[Title] = mapped_column(choice(Title))
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    removed_at: Mapped[datetime | None] = mapped_column(default=None)


class Invitation(Base):
    """An offer of a seat to whoever reads the mails of an address. Good once; only the token's hash is stored."""

    __tablename__ = "staff_invitations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(Hash)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), index=True)
    name: Mapped[str] = mapped_column(String(80), default="")
    language: Mapped[Language] = mapped_column(choice(Language), default=Language.CHINESE)
    merchant_number: Mapped[int | None] = mapped_column(ForeignKey("merchants.number"), index=True, default=None)
    title: Mapped[Title] = mapped_column(choice(Title))
    by_network: Mapped[bool] = mapped_column(default=False)
    """Whether the network has made it: then it brings a merchant its first access, and nothing else."""
    code_hash: Mapped[bytes | None] = mapped_column(Hash, default=None)
    """Of the code that has to come with the token, where one person hands over the one, and another person the other."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None] = mapped_column(default=None)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("staff_people.id"), default=None)
    """Who has accepted it."""
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), default=None)
    """The API key for which a program has redeemed it."""
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class SignInMethod(StrEnum):
    """How a person has shown who it is."""

    PASSWORD = "password"  # noqa: S105 (a word, no secret)
    OIDC = "oidc"


class Restriction(StrEnum):
    """What a person has to do before its session is good for anything else."""

    PASSWORD_CHANGE = "password_change"  # noqa: S105 (a word, no secret)
    SECOND_FACTOR = "second_factor"


class StaffSession(Base):
    """A person who is signed in somewhere, on one seat at a time. Only the token's hash is stored."""

    __tablename__ = "staff_sessions"
    __table_args__ = (Index("staff_sessions_person_page_index", "person_id", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(Hash)
    person_id: Mapped[str] = mapped_column(ForeignKey("staff_people.id"))
    seat_id: Mapped[str] = mapped_column(ForeignKey("staff_seats.id"), index=True)
    method: Mapped[SignInMethod] = mapped_column(choice(SignInMethod))
    second_factor: Mapped[bool] = mapped_column(default=False)
    """Whether the person has shown a one-time code; or another issuer has let it in, which answers for that."""
    restriction: Mapped[Restriction | None] = mapped_column(choice(Restriction), default=None)
    address: Mapped[str] = mapped_column(String(45), default="")
    """Where the person signed in from."""
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """However much it is used."""
    idle_seconds: Mapped[int]
    """It ends after so long without a request."""
    last_seen_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    """To the quarter of a minute: it is written beside the requests."""
    ended_at: Mapped[datetime | None] = mapped_column(default=None)


class RecoveryCode(Base):
    """A code that takes the place of a one-time code, once. Only its hash is stored."""

    __tablename__ = "staff_recovery_codes"

    person_id: Mapped[str] = mapped_column(ForeignKey("staff_people.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(Hash, primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class PasswordReset(Base):
    """Somebody has asked for a new password for an address. Whether anybody has that address makes no difference to the row."""

    __tablename__ = "staff_password_resets"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(Hash)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("staff_people.id"), index=True, default=None)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class SignInTries(Base):
    """How many attempts have been made on one account, or from one address, since a moment. Without a row: none."""

    __tablename__ = "staff_sign_in_tries"

    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    """What they are counted by: `account:` or `reset:` and a hash of the address of mails, `code:` and a person, or `address:` and
    an address of the network."""
    since: Mapped[datetime] = mapped_column(index=True)
    """The first of them. The count starts again when this is too long ago to matter."""
    tries: Mapped[int]


# -------------------------------------------------------------------- what is looked up together


class Colleague(NamedTuple):
    """A seat, and the person on it."""

    seat: Seat
    person: Person
    last_seen_at: datetime | None = None
    """When somebody last sat on it, within about half a minute; None if that is longer ago than sessions are kept."""


class Occupied(NamedTuple):
    """A session, the person who is signed in, and the seat that it sits on."""

    session: StaffSession
    person: Person
    seat: Seat
