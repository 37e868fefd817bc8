"""Tables of customers, of what they are known by, of what they have agreed to, and of where they were seen."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, chosen, time_of_insert


class IdentifierKind(StrEnum):
    """By what a customer is known."""

    CARD = "card"
    PHONE = "phone"
    PLATE = "plate"


class ChannelName(StrEnum):
    """By what a customer can be told something."""

    APP = "app"
    SMS = "sms"
    WECOM = "wecom"
    DINGTALK = "dingtalk"
    MAIL = "mail"
    WEBHOOK = "webhook"


class Customer(Base):
    """Somebody who takes part. The network knows them as `external:` and this id, and nothing else of them."""

    __tablename__ = "customers"
    __table_args__ = (Index("customers_birthday_index", "birth_month", "birth_day"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    birth_month: Mapped[int | None]
    birth_day: Mapped[int | None]
    tier: Mapped[str] = mapped_column(String(40), default="")
    tier_coefficient: Mapped[int] = mapped_column(default=10_000)
    """In basis points."""
    tier_grace_until: Mapped[date | None]
    """The last day of the grace, if too little was bought for the tier."""
    language: Mapped[str] = mapped_column(String(2), default="zh", server_default="zh")
    """In which they are told something: `en` or `zh`."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    erased_at: Mapped[datetime | None]


class Identifier(Base):
    """A card, a phone or a plate, which is one customer's at a time."""

    __tablename__ = "identifiers"
    __table_args__ = (
        Index(
            "identifiers_kind_value_unique",
            "kind",
            "value",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
            sqlite_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    kind: Mapped[IdentifierKind] = mapped_column(chosen(IdentifierKind))
    value: Mapped[str] = mapped_column(String(80))
    """Without spaces and the like, so one card has one value."""
    added_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    removed_at: Mapped[datetime | None]


class Address(Base):
    """Where a customer is reached by a channel, other than by phone."""

    __tablename__ = "addresses"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    channel: Mapped[ChannelName] = mapped_column(chosen(ChannelName), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class Consent(Base):
    """What a customer has agreed to, or no longer agrees to. Rows are only ever added; the newest one of a purpose counts."""

    __tablename__ = "consents"
    __table_args__ = (Index("consents_customer_index", "customer_id", "purpose", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    purpose: Mapped[str] = mapped_column(String(40))
    text_version: Mapped[str] = mapped_column(String(40))
    """Which text the customer has seen."""
    is_given: Mapped[bool]
    at: Mapped[datetime] = mapped_column(default=time_of_insert)


class SeenDevice(Base):
    """A device on which a customer was seen, as a hash of what it calls itself."""

    __tablename__ = "seen_devices"

    device: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(default=time_of_insert)
