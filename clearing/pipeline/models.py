"""Tables of signed transactions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, Hash, choice


class TransactionState(StrEnum):
    """`signed`: stored, perhaps sent. `mined`: in a block. `reverted`: failed in a block. `replaced`: another transaction took
    its nonce, so no block will ever contain it."""

    SIGNED = "signed"
    MINED = "mined"
    REVERTED = "reverted"
    REPLACED = "replaced"


class Transaction(Base):
    """A signed transaction. It is stored before it is sent, so that after a crash the same bytes go out again."""

    __tablename__ = "transactions"
    __table_args__ = (
        UniqueConstraint("sender", "nonce"),
        Index(
            "transactions_bytes_index",
            "id",
            postgresql_where=text("raw IS NOT NULL"),
            sqlite_where=text("raw IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    sender: Mapped[str] = mapped_column(String(42))
    orders: Mapped[int] = mapped_column(default=0)
    """How many orders it carries; 0 for a privileged call."""
    nonce: Mapped[int] = mapped_column(BigInt)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    """None some time after a block contains it: what it carried is in its orders or its call, and on the chain."""
    hash: Mapped[bytes] = mapped_column(Hash, unique=True)
    state: Mapped[TransactionState] = mapped_column(
        choice(TransactionState), default=TransactionState.SIGNED, index=True
    )
    block_number: Mapped[int | None] = mapped_column(BigInt, index=True, default=None)
    gas_used: Mapped[int | None] = mapped_column(BigInt, default=None)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class TransactionAttempt(Base):
    """An earlier version of a transaction, under the same nonce: before its fee was raised, or before it was made smaller.

    A node may still have it, so it may still be the version that is mined.
    """

    __tablename__ = "transaction_attempts"
    __table_args__ = (
        Index(
            "transaction_attempts_bytes_index",
            "transaction_id",
            postgresql_where=text("raw IS NOT NULL"),
            sqlite_where=text("raw IS NOT NULL"),
        ),
    )

    hash: Mapped[bytes] = mapped_column(Hash, primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transactions.id"), index=True)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    """None when the transaction's are gone."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
