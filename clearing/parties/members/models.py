"""Tables of members. No personal data goes on the chain: a member's address there comes from `secret`, a random number."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, Hash, choice, partial_index

ExternalId = String(128).with_variant(String(128, collation="C"), "postgresql")
"""Compared byte by byte in both databases, so that the primary key's index also finds all ids with a prefix."""


NAMES_MEMBER: dict[Any, Any] = {"names": "a member"}
"""The `info` of a column that holds a member's id without a foreign key: an erasure empties it all the same."""


class Member(Base):
    """A customer, network-wide. To erase a member is to delete this row and the links to it."""

    __tablename__ = "members"
    __table_args__ = (
        # Almost no member is barred: orders look for those that are among hundreds of addresses at once.
        Index("members_barred_index", "address", postgresql_where=text("barred"), sqlite_where=text("barred")),
        partial_index("members_merged_into_index", "merged_into", where="merged_into IS NOT NULL"),
        Index("members_created_at_index", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    secret: Mapped[bytes] = mapped_column(Hash)
    address: Mapped[str] = mapped_column(String(42), unique=True)
    """The last 20 bytes of keccak256(secret); lower-case, with 0x."""
    barred: Mapped[bool] = mapped_column(default=False)
    """Whether somebody has frozen the member, or it was merged: then whoever takes its points has to look closer."""
    merged_into: Mapped[str | None] = mapped_column(ForeignKey("members.id"), default=None)
    """The member to whom this one's id and points lead. That one is never merged itself: ids lead there in one step."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class LinkOrigin(StrEnum):
    """How a merchant got to know a member."""

    REGISTERED = "registered"
    """By registering it, or with a link code: the member was there."""
    CLAIMED = "claimed"
    """By receiving the member's points."""


class MemberLink(Base):
    """The external id by which one merchant knows a member. It may have several."""

    __tablename__ = "member_links"
    __table_args__ = (Index("member_links_merchant_member_index", "merchant_number", "member_id"),)

    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), primary_key=True)
    external_id: Mapped[str] = mapped_column(ExternalId, primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    origin: Mapped[LinkOrigin] = mapped_column(choice(LinkOrigin), default=LinkOrigin.REGISTERED)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class RetiredLink(Base):
    """An external id that no longer leads to its member: a lost card. It is given out again only if the merchant says so."""

    __tablename__ = "retired_links"
    __table_args__ = (Index("retired_links_external_id_index", "merchant_number", "external_id"),)

    seq: Mapped[int] = mapped_column(BigInt, primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class MemberFreeze(Base):
    """A merchant's word that nobody may take this member's points at its till or of its programs; the operator's
    (merchant 0) holds for the whole network."""

    __tablename__ = "member_freezes"
    __table_args__ = (Index("member_freezes_merchant_index", "merchant_number", "member_id"),)

    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class LinkCode(Base):
    """A one-time code that lets another merchant register the same member. Only its hash is stored."""

    __tablename__ = "link_codes"

    code_hash: Mapped[bytes] = mapped_column(Hash, primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)
