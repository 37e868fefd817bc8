"""Tables of how far daily rounds have come, and of lots as far as somebody has worked them out.

`replay` makes lots from the entries. A checkpoint can be thrown away at any time: it spares a replay from the beginning, and says
nothing that the entries do not say.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base, BigInt


class ExpiryMark(Base):
    """How far a daily round has come: it is done with `day` and all days before, and stands at `address` in a part of the next."""

    __tablename__ = "expiry_marks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[int]
    part: Mapped[str | None] = mapped_column(String(40), default=None)
    address: Mapped[str | None] = mapped_column(String(42), default=None)


class LotCheckpoint(Base):
    """The lots of all accounts of an address after a batch: a replay may begin there."""

    __tablename__ = "lot_checkpoints"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    last_batch: Mapped[int] = mapped_column(BigInt, index=True)
    """The newest batch with an entry that touched them. Where it falls out of the chain, so does the checkpoint."""
    lots: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Program -> portions, as `checkpoints` writes them."""


class LotDraw(Base):
    """What an entry took from lots, whatever reversals returned since. It never changes."""

    __tablename__ = "lot_draws"

    batch: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    taken: Mapped[list[Any]] = mapped_column(JSON)


class TransferReversal(Base):
    """An entry that takes back what a transfer gave to an address: no column of the entry names that."""

    __tablename__ = "transfer_reversals"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    batch: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class CheckpointCursor(Base):
    """Up to which batch the checkpoints of busy addresses were looked after. There is one row."""

    __tablename__ = "lot_checkpoint_cursor"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    batch: Mapped[int] = mapped_column(BigInt)
