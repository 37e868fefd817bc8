"""Tables of what comes from the chain: blocks, batches, entries, rejections and rare events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, BigInt, Hash
from tongdui import receipts


class Block(Base):
    """A block that the read model contains. The projector stands at the highest one."""

    __tablename__ = "blocks"

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(Hash)
    parent_hash: Mapped[bytes] = mapped_column(Hash)
    timestamp: Mapped[int] = mapped_column(BigInt, index=True)
    day: Mapped[int]
    """The network's day, as the contract counts it."""


class ChainEvent(Base):
    """A rare event (registration, agreement, money) with what it replaced, so that a reorganisation can undo it."""

    __tablename__ = "chain_events"

    block_number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    undo: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class QuarantinedEvent(Base):
    """A rare event that could not be decoded or applied, kept as the chain emitted it until somebody retries it."""

    __tablename__ = "quarantined_events"

    block_number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(String(40))
    """None where not even that is known."""
    topics: Mapped[list[str]] = mapped_column(JSON)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    tx_hash: Mapped[bytes] = mapped_column(Hash)
    error: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


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
        Index("entries_instruction_unique", "merchant", "nonce", "item", unique=True),
        # An address's entries in order: those that its lots' checkpoint lacks, and pages of them, newest first.
        Index("entries_address_index", "address", "batch", "index"),
        # Pages of entries, newest first: of a program, and of an agreement, by which points enter another program.
        Index("entries_program_index", "program", "batch", "index"),
        Index(
            "entries_agreement_index",
            "agreement",
            "batch",
            "index",
            postgresql_where=text("agreement > 0"),
            sqlite_where=text("agreement > 0"),
        ),
        # What lots are replayed from: who has points that expire on a day, who got transfers (5) and who made them, what was
        # reversed (6).
        Index(
            "entries_expiry_day_index",
            "expiry_day",
            "address",
            postgresql_where=text("expiry_day > 0"),
            sqlite_where=text("expiry_day > 0"),
        ),
        Index(
            "entries_transfer_index",
            "address",
            "program",
            postgresql_where=text("kind = 5"),
            sqlite_where=text("kind = 5"),
        ),
        Index(
            "entries_link_index",
            "link",
            "batch",
            "index",
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

    __table_args__ = (Index("rejections_instruction_index", "merchant", "nonce", "item"),)


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry with what proves it."""

    entry: Entry
    batch: Batch
    path: tuple[bytes, ...]
