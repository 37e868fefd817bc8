"""Table of API keys."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Hash, choice


class Role(StrEnum):
    """Who holds a key."""

    MERCHANT = "merchant"
    OPERATOR = "operator"
    TREASURY = "treasury"
    AUDITOR = "auditor"


class ApiKey(Base):
    """A key. Its secret is shown once and stored as SHA-256: 256 random bits need no slow hash."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(Hash)
    role: Mapped[Role] = mapped_column(choice(Role))
    merchant_number: Mapped[int | None] = mapped_column(ForeignKey("merchants.number"), index=True, default=None)
    scopes: Mapped[list[Any]] = mapped_column(JSON, default=list)
    name: Mapped[str] = mapped_column(String(60), default="")
    """What its holder calls it."""
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), index=True, default=None)
    """The key that made it, with which it is revoked. None: no key did."""
    created_by: Mapped[str] = mapped_column(String(40), default="")
    """The actor that made it: a key, a person (`staff:...`), a command."""
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    """From then on it is good for nothing. None: it does not end by itself."""
    networks: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """Where it may be used from, in the form of `clearing.kit.networks`. Empty: from anywhere."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)

    def is_live(self, at: datetime) -> bool:
        """Whether it is good for anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class ApiKeyUse(Base):
    """When a key was last used, to the minute. Keys are held in memory everywhere, so their own rows must rest."""

    __tablename__ = "api_key_uses"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    used_at: Mapped[datetime]
