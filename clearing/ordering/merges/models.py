"""Tables of merges, and of the accounts whose points they move."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, choice


class MergeState(StrEnum):
    """`proposed` until it is confirmed or cancelled; then `moving` until no points are left at the old address."""

    PROPOSED = "proposed"
    CANCELLED = "cancelled"
    MOVING = "moving"
    DONE = "done"


class Merge(Base):
    """One member becomes part of another. The ids have no foreign keys: a merge outlives the erasure of its members."""

    __tablename__ = "merges"
    __table_args__ = (
        Index("merges_state_index", "state", "id"),
        Index("merges_merchant_index", "merchant_number", "state", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    """Who proposed it."""
    member_id: Mapped[str] = mapped_column(String(40), index=True)
    """The member that ends."""
    into_id: Mapped[str] = mapped_column(String(40), index=True)
    """The member that it becomes part of. Later that one may be merged itself: its own `merged_into` says where points go now."""
    state: Mapped[MergeState] = mapped_column(choice(MergeState), default=MergeState.PROPOSED)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    confirmed_at: Mapped[datetime | None] = mapped_column(default=None)
    done_at: Mapped[datetime | None] = mapped_column(default=None)


class MergeAccount(Base):
    """An account of the member that ends: the program's merchant signs the transfer that empties it."""

    __tablename__ = "merge_accounts"
    __table_args__ = (Index("merge_accounts_merchant_index", "merchant_number", "merge_id"),)

    merge_id: Mapped[str] = mapped_column(ForeignKey("merges.id"), primary_key=True)
    program: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    transfers: Mapped[int] = mapped_column(default=0)
    """How many transfers were accepted. Each has a reference of its own, so that none is ever made twice."""
    announced: Mapped[int] = mapped_column(default=0)
    """The number of the transfer that the merchant was last told to sign."""
