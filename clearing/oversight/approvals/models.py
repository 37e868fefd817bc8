"""Table of approvals."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, choice, partial_index
from clearing.parties.access.models import Role


class ChangeKind(StrEnum):
    """What needs a second person."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    CREDIT_LIMIT = "credit_limit"
    API_KEY = "api_key"
    INVITATION = "invitation"
    ENABLING = "enabling"


class ApprovalState(StrEnum):
    """`requested` until somebody else decides, its maker withdraws it, or its time is over."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Approval(Base):
    """A change that one person (the maker) asks for, and what another one (the checker) says to it."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("approvals_state_page_index", "state", "id"),
        Index("approvals_merchant_page_index", "merchant_number", "id"),
        Index("approvals_kind_page_index", "kind", "id"),
        # One claim is open at a time, however many ask for it at once.
        partial_index("approvals_claim_unique", "claim", where="state = 'requested'", unique=True),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[ChangeKind] = mapped_column(choice(ChangeKind))
    state: Mapped[ApprovalState] = mapped_column(choice(ApprovalState), default=ApprovalState.REQUESTED)
    merchant_number: Mapped[int | None] = mapped_column(ForeignKey("merchants.number"), default=None)
    """The merchant that it concerns; None: the network itself."""
    claim: Mapped[str] = mapped_column(String(100))
    """What may be asked for only once at a time, such as one reference of the bank."""
    change: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What is to be done, as the change's class reads it again."""
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The values that the change replaces: as they were when it was asked for; then as they were when it took effect."""
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(500))
    maker: Mapped[str] = mapped_column(String(40))
    """The actor who asks."""
    maker_role: Mapped[Role] = mapped_column(choice(Role))
    maker_identity: Mapped[str] = mapped_column(String(40))
    """Who the maker is, whatever key or session it calls with."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    expires_at: Mapped[datetime] = mapped_column()
    decided_by: Mapped[str | None] = mapped_column(String(40), default=None)
    decided_at: Mapped[datetime | None] = mapped_column(default=None)
    decision_reason: Mapped[str] = mapped_column(String(500), default="")
    """Why it was declined."""
    result: Mapped[str | None] = mapped_column(String(66), index=True, default=None)
    """The id of what came of it."""
