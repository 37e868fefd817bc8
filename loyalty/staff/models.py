"""Table of keys: who may do what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, chosen, time_of_insert


class Role(StrEnum):
    """What somebody is here. What a role may do stands in `loyalty.http.rules`."""

    MARKETING = "marketing"
    MANAGER = "manager"
    CASHIER = "cashier"
    DEVICE = "device"
    AUDITOR = "auditor"


class Key(Base):
    """A key with one role. Its secret is shown once, and only the secret's hash is kept."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    """Whose it is: a person, a till, a pump."""
    role: Mapped[Role] = mapped_column(chosen(Role))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    revoked_at: Mapped[datetime | None]
