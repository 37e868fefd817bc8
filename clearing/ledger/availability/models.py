"""Table of holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, choice, partial_index


class HoldState(StrEnum):
    """Only a pending hold can change, and only once."""

    PENDING = "pending"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


class HoldPurpose(StrEnum):
    """Why the points are set aside."""

    MERCHANT = "merchant"
    """A merchant asked for it."""
    EXPIRY = "expiry"
    """Their lots are over: only an expire order may use them. Such a hold lasts until they are burnt."""


class Hold(Base):
    """Points of an account that are set aside. The account's `reserved` does not count them: a hold ends by itself, when
    nobody writes anything."""

    __tablename__ = "holds"
    __table_args__ = (
        Index(
            "holds_pending_account_index",
            "address",
            "program",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        Index(
            "holds_pending_due_index",
            "expires_at",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        # An account has at most one hold for points whose lots are over.
        Index(
            "holds_pending_expiry_unique",
            "address",
            "program",
            unique=True,
            postgresql_where=text("state = 'pending' AND purpose = 'expiry'"),
            sqlite_where=text("state = 'pending' AND purpose = 'expiry'"),
        ),
        Index(
            "holds_drawing_account_index",
            "address",
            "program",
            postgresql_where=text("drawing"),
            sqlite_where=text("drawing"),
        ),
        # Pages of holds, newest first: those that merchants made, and those of points whose lots are over.
        partial_index("holds_page_index", "merchant_number", "program", "state", "id", where="purpose = 'merchant'"),
        partial_index(
            "holds_due_page_index", "merchant_number", "id", where="state = 'pending' AND purpose = 'expiry'"
        ),
        Index("holds_member_index", "member_id", "id"),
        partial_index("holds_reference_index", "reference", where="reference IS NOT NULL"),
        partial_index("holds_ended_index", "ended_at", where="ended_at IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    purpose: Mapped[HoldPurpose] = mapped_column(choice(HoldPurpose), default=HoldPurpose.MERCHANT)
    member_id: Mapped[str | None] = mapped_column(ForeignKey("members.id"))
    address: Mapped[str] = mapped_column(String(42))
    program: Mapped[int]
    agreement: Mapped[int] = mapped_column(default=0)
    """The agreement under which it was made, and to which its capture is bound; 0 for none."""
    points: Mapped[int] = mapped_column(Big)
    captured: Mapped[int] = mapped_column(Big, default=0)
    """Points that its order asked for; the rest became free."""
    drawing: Mapped[bool] = mapped_column(default=False)
    """Captured, and its order is pending: the order still takes its points as on the day of the hold."""
    state: Mapped[HoldState] = mapped_column(choice(HoldState), default=HoldState.PENDING)
    order_id: Mapped[str | None] = mapped_column(String(40), index=True, default=None)
    """The order that the hold became."""
    movement_id: Mapped[str | None] = mapped_column(String(40), default=None)
    reference: Mapped[str | None] = mapped_column(String(140), default=None)
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    def state_at(self, at: datetime) -> HoldState:
        """The state at a moment: a pending hold has expired once its time is over, whether or not a worker has noted it."""
        return HoldState.EXPIRED if self.state is HoldState.PENDING and self.expires_at <= at else self.state
