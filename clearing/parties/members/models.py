"""Tables of members. No personal data goes on the chain: a member's address there comes from `secret`, a random number."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Hash


class Member(Base):
    """A customer, network-wide. To erase a member is to destroy `secret`, `address` and the links."""

    __tablename__ = "members"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    secret: Mapped[bytes] = mapped_column(Hash)
    address: Mapped[str] = mapped_column(String(42), unique=True)
    """The last 20 bytes of keccak256(secret); lower-case, with 0x."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class MemberLink(Base):
    """The external id by which one merchant knows a member."""

    __tablename__ = "member_links"

    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class LinkCode(Base):
    """A one-time code that lets another merchant register the same member. Only its hash is stored."""

    __tablename__ = "link_codes"

    code_hash: Mapped[bytes] = mapped_column(Hash, primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)
