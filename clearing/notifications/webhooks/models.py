"""Tables of webhooks: endpoints, deliveries, and how far events have become deliveries."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, choice, partial_index


class EndpointState(StrEnum):
    """A disabled endpoint keeps its pending deliveries until somebody enables it again, or until they are old."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class WebhookEndpoint(Base):
    """Where a merchant wants to be notified. Its secrets are sealed."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    description: Mapped[str] = mapped_column(String(200), default="")
    types: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The types of events that it wants, such as `order.settled` or `order.*`; none means all."""
    secret: Mapped[str]
    """What signs the requests, sealed for this endpoint."""
    old_secret: Mapped[str | None] = mapped_column(default=None)
    old_secret_until: Mapped[datetime | None] = mapped_column(default=None)
    """Until then requests carry a signature by the old secret, too."""
    state: Mapped[EndpointState] = mapped_column(choice(EndpointState), default=EndpointState.ENABLED)
    reason: Mapped[str | None] = mapped_column(String(200), default=None)
    """Why it is disabled."""
    after_seq: Mapped[int] = mapped_column(BigInt)
    """It receives the events after this one."""
    failures: Mapped[int] = mapped_column(default=0)
    """Attempts that have failed since the last success."""
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    rests_until: Mapped[datetime | None] = mapped_column(default=None)
    """Nothing is sent there until then, because it failed several times in a row."""
    replays: Mapped[int] = mapped_column(default=0)
    replays_since: Mapped[datetime | None] = mapped_column(default=None)
    """Since when `replays` counts how often somebody has asked for events again."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class DeliveryState(StrEnum):
    """A `failed` delivery was given up: it is not attempted again unless it is replayed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(Base):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_seq", name="webhook_deliveries_endpoint_event_unique"),
        Index("webhook_deliveries_state_index", "endpoint_id", "state", "event_seq"),
        # Finds deliveries that must wait for an older one of the same subject.
        Index(
            "webhook_deliveries_pending_order_index",
            "endpoint_id",
            "subject",
            "event_seq",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        partial_index(
            "webhook_deliveries_pending_due_index", "endpoint_id", "next_attempt_at", where="state = 'pending'"
        ),
        partial_index(
            "webhook_deliveries_claimed_index", "endpoint_id", "claimed_until", where="claimed_until IS NOT NULL"
        ),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    event_seq: Mapped[int] = mapped_column(ForeignKey("events.seq"), index=True)
    subject: Mapped[str] = mapped_column(String(66))
    state: Mapped[DeliveryState] = mapped_column(choice(DeliveryState), default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    """While an attempt runs: the same as `claimed_until`, unless somebody has asked for the event again meanwhile."""
    claimed_until: Mapped[datetime | None] = mapped_column(default=None)
    """While an attempt runs: when another process may take the delivery over."""
    status: Mapped[int | None] = mapped_column(default=None)
    """The HTTP status of the last answer."""
    answer: Mapped[str | None] = mapped_column(String(1024), default=None)
    """The beginning of the last answer, or why there was none."""
    tries: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default=text("'[]'"))
    """The last tries with what was answered, the newest last: few, and gone with the delivery."""
    attempted_at: Mapped[datetime | None] = mapped_column(default=None)
    delivered_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert, index=True)
