"""Tables of messages: what customers shall be told, each try to tell it, what staff wrote, what the network was heard to say."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.customers.models import ChannelName
from loyalty.kit.database import Base, chosen, partial_index, time_of_insert


class MessageState(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    """A messenger is handing it to a channel."""
    SENT = "sent"
    WITHHELD = "withheld"
    """The customer is not told; `why` says why not."""
    FAILED = "failed"
    """No channel took it, often enough."""
    UNCLEAR = "unclear"
    """The channel may have taken it, or not: it gave no answer, or the messenger died meanwhile."""


class DeliveryOutcome(StrEnum):
    """What became of a try."""

    BEGUN = "begun"
    SENT = "sent"
    NOT_SENT = "not_sent"
    UNCLEAR = "unclear"


class Message(Base):
    """One thing that a customer is told, once a matter."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("customer_id", "matter"),
        Index("messages_customer_index", "customer_id", "id"),
        Index("messages_state_index", "state", "id"),
        partial_index("messages_due_index", "due_at", "id", where="state = 'waiting'"),
        partial_index("messages_leased_index", "leased_until", where="state = 'sending'"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str] = mapped_column(String(40))
    """A name of `loyalty.messages.templates.KINDS`."""
    matter: Mapped[str] = mapped_column(String(140))
    """What it is about: a customer is told of it once."""
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What stands in the places of its text."""
    good_until: Mapped[date | None]
    """The last day on which it is of use."""
    state: Mapped[MessageState] = mapped_column(chosen(MessageState), default=MessageState.WAITING)
    why: Mapped[str | None] = mapped_column(String(40))
    """Why it was withheld: a code."""
    due_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    """When it is looked at next."""
    tries: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    """Until then a messenger may be handing it over."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    ended_at: Mapped[datetime | None]


class Delivery(Base):
    """One try to hand a message to a channel."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_message_index", "message_id", "id"),
        Index("deliveries_customer_index", "customer_id", "begun_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    channel: Mapped[ChannelName] = mapped_column(chosen(ChannelName))
    language: Mapped[str] = mapped_column(String(2))
    begun_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    outcome: Mapped[DeliveryOutcome] = mapped_column(chosen(DeliveryOutcome), default=DeliveryOutcome.BEGUN)
    detail: Mapped[str | None] = mapped_column(String(300))
    """What the channel said, without addresses."""


class KeptKind(Base):
    """What staff have decided of a kind of message. A kind without a row is on, with its default texts."""

    __tablename__ = "message_kinds"

    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    is_on: Mapped[bool]
    texts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """For each language `title` and `body`."""
    changed_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class HeardUntil(Base):
    """How far the network's events were heard."""

    __tablename__ = "heard_until"

    topic: Mapped[str] = mapped_column(String(40), primary_key=True)
    event: Mapped[str] = mapped_column(String(40))
    """The id of the last event."""
