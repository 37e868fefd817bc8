"""Tables of what goes to the chain (transactions, calls) and of what comes from it (blocks, batches, entries, ...)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tongdui import receipts

from ..database import Base, Big, BigInt, Hash, choice, now

# -------------------------------------------------------------------- to the chain


class TransactionState(StrEnum):
    """`signed` is stored and may have been sent; `mined` was seen in a block; `reverted` failed there; `replaced` never will be
    in one, because another transaction took its nonce."""

    SIGNED = "signed"
    MINED = "mined"
    REVERTED = "reverted"
    REPLACED = "replaced"


class Transaction(Base):
    """A signed transaction. It is stored before it is sent, so that after a crash the same bytes are sent again."""

    __tablename__ = "transactions"
    __table_args__ = (UniqueConstraint("sender", "nonce"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    sender: Mapped[str] = mapped_column(String(42))
    orders: Mapped[int] = mapped_column(default=0)
    """How many orders it carries; 0 for a privileged call."""
    nonce: Mapped[int] = mapped_column(BigInt)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(Hash, unique=True)
    state: Mapped[TransactionState] = mapped_column(
        choice(TransactionState), default=TransactionState.SIGNED, index=True
    )
    block_number: Mapped[int | None] = mapped_column(BigInt, index=True, default=None)
    gas_used: Mapped[int | None] = mapped_column(BigInt, default=None)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=now)


class TransactionAttempt(Base):
    """An earlier version of a transaction, under the same nonce: the one before its fee was raised, or before it was made smaller.

    A node may still have it, so it may still be the one that is mined.
    """

    __tablename__ = "transaction_attempts"

    hash: Mapped[bytes] = mapped_column(Hash, primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transactions.id"), index=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=now)


class CallState(StrEnum):
    """`pending` waits for the sequencer daemon; `submitted` is in a transaction; the rest is final."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"


class Call(Base):
    """A privileged call of the contract (onboarding, limits, deposits) that a role key will sign and send."""

    __tablename__ = "calls"

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    function: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[list[Any]] = mapped_column(JSON)
    """JSON values; bytes as 0x-prefixed hex."""
    subject: Mapped[str] = mapped_column(String(40), index=True)
    """Id of the resource that asked for it."""
    state: Mapped[CallState] = mapped_column(choice(CallState), default=CallState.PENDING, index=True)
    error: Mapped[str | None] = mapped_column(default=None)
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("transactions.id"), index=True, default=None)
    created_at: Mapped[datetime] = mapped_column(default=now)


# -------------------------------------------------------------------- from the chain


class Block(Base):
    """A block that the read model contains. The highest one is where the projector stands."""

    __tablename__ = "blocks"

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(Hash)
    parent_hash: Mapped[bytes] = mapped_column(Hash)
    timestamp: Mapped[int] = mapped_column(BigInt, index=True)


class ChainEvent(Base):
    """A rare event (registrations, agreements, money) with what it replaced, so that a reorganisation can take it back."""

    __tablename__ = "chain_events"

    block_number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    undo: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class PoisonEvent(Base):
    """A rare event that could not be decoded or applied: set aside as the chain told it, for a person to look at."""

    __tablename__ = "poison_events"

    block_number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(String(40))
    """None where not even that is known."""
    topics: Mapped[list[str]] = mapped_column(JSON)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    tx_hash: Mapped[bytes] = mapped_column(Hash)
    error: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Batch(Base):
    """A batch as the chain closed it."""

    __tablename__ = "batches"

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(Hash)
    head: Mapped[bytes] = mapped_column(Hash)
    entries: Mapped[int]
    tx_hash: Mapped[bytes] = mapped_column(Hash)
    gas_used: Mapped[int] = mapped_column(BigInt)
    block_number: Mapped[int] = mapped_column(BigInt, index=True)


class Entry(Base):
    """An accepted instruction, as the chain posted it."""

    __tablename__ = "entries"
    __table_args__ = (
        Index("ix_entries_instruction", "merchant", "nonce", "item", unique=True),
        Index("ix_entries_account", "address", "program"),
        # What lots are replayed from: who has points that expire on a day, who got transfers (5), what was reversed (6).
        Index(
            "ix_entries_expiry_day",
            "expiry_day",
            postgresql_where=text("expiry_day > 0"),
            sqlite_where=text("expiry_day > 0"),
        ),
        Index(
            "ix_entries_link",
            "link",
            postgresql_where=text("kind IN (5, 6)"),
            sqlite_where=text("kind IN (5, 6)"),
        ),
    )

    batch: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    leaf: Mapped[bytes] = mapped_column(Hash, unique=True)
    merchant: Mapped[int]
    nonce: Mapped[int] = mapped_column(BigInt)
    item: Mapped[int]
    kind: Mapped[int]
    expiry_day: Mapped[int]
    program: Mapped[int]
    agreement: Mapped[int]
    address: Mapped[str] = mapped_column(String(42))
    points: Mapped[int] = mapped_column(Big)
    out: Mapped[int] = mapped_column(Big)
    settled: Mapped[int] = mapped_column(Big)
    fee: Mapped[int] = mapped_column(Big)
    ref: Mapped[bytes] = mapped_column(Hash)
    link: Mapped[bytes] = mapped_column(Hash)
    block_number: Mapped[int] = mapped_column(BigInt, index=True)

    def wire(self) -> receipts.Entry:
        """The entry as the chain hashed it."""
        return receipts.Entry(
            batch=self.batch,
            index=self.index,
            merchant=self.merchant,
            nonce=self.nonce,
            item=self.item,
            kind=self.kind,
            expiry_day=self.expiry_day,
            program=self.program,
            agreement=self.agreement,
            member=self.address,
            points=self.points,
            out=self.out,
            settled=self.settled,
            fee=self.fee,
            ref=self.ref,
            link=self.link,
        )


class Rejection(Base):
    """An instruction that the chain refused. `item` is -1 where the whole order was."""

    __tablename__ = "rejections"

    block_number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    merchant: Mapped[int]
    nonce: Mapped[int] = mapped_column(BigInt)
    item: Mapped[int]
    reason: Mapped[str] = mapped_column(String(40))

    __table_args__ = (Index("ix_rejections_instruction", "merchant", "nonce", "item"),)
