"""Tables of merchants and their signer keys."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, choice


class MerchantStatus(StrEnum):
    """`pending` until the chain confirms the registration; then what the contract says."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Merchant(Base):
    """A legal entity. `number` is its id on the chain; number 0 is the network operator."""

    __tablename__ = "merchants"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    status: Mapped[MerchantStatus] = mapped_column(choice(MerchantStatus), default=MerchantStatus.PENDING)
    next_nonce: Mapped[int] = mapped_column(BigInt, default=0)
    """The first nonce that no order has reserved yet."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class SignerKey(Base):
    """A key that may sign for a merchant. A managed key has a `keystore`: the key, encrypted (Ethereum keystore V3), or a
    reference to whoever keeps it (`web3signer:0x...`, `awskms:...`)."""

    __tablename__ = "signer_keys"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), index=True)
    keystore: Mapped[str | None] = mapped_column(default=None)
    valid_from: Mapped[int] = mapped_column(BigInt, default=0)
    valid_until: Mapped[int] = mapped_column(BigInt, default=2**40 - 1)
    """Unix seconds, as on the chain."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
