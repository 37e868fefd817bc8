"""Tables of orders and their instructions; and a movement, which is an instruction with its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from clearing.kit import tracing
from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, BigInt, Hash, choice, partial_index
from clearing.ledger.journal.models import Batch, Entry
from clearing.ordering.orders.limits import Load
from clearing.parties.members.models import NAMES_MEMBER
from tongdui import orders as wire


class OrderState(StrEnum):
    """`accepted` waits for a batch, `submitted` is in one; the others are final."""

    ACCEPTED = "accepted"
    SUBMITTED = "submitted"
    SETTLED = "settled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the order can no longer change."""
        return self not in (OrderState.ACCEPTED, OrderState.SUBMITTED)


class Direction(StrEnum):
    """How a merchant's points move: `out` if it gives, `in` if it receives."""

    IN = "in"
    OUT = "out"


OPEN_STATES = (OrderState.ACCEPTED, OrderState.SUBMITTED)
"""States of orders that wait for the chain."""


class Order(Base):
    """What a merchant signed. A merchant's orders are sequenced in the order of `seq`, and so are those of a batch."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("merchant_number", "nonce", name="orders_merchant_nonce_unique"),
        Index(
            "orders_queue_index",
            "seq",
            postgresql_where=text("state = 'accepted'"),
            sqlite_where=text("state = 'accepted'"),
        ),
        Index(
            "orders_submitted_index",
            "seq",
            postgresql_where=text("state = 'submitted'"),
            sqlite_where=text("state = 'submitted'"),
        ),
        Index("orders_created_at_index", "created_at", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInt, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    nonce: Mapped[int] = mapped_column(BigInt)
    deadline: Mapped[int] = mapped_column(BigInt)
    """Unix seconds."""
    atomic: Mapped[bool] = mapped_column(default=False)
    digest: Mapped[bytes] = mapped_column(Hash)
    """What the merchant signed; as unique as merchant and nonce, which are in it."""
    packed: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """The order as it travels to the chain: head, signature and instructions, packed. A batch joins such bytes."""
    size: Mapped[int]
    """Number of instructions."""
    has_metadata: Mapped[bool] = mapped_column(default=False)
    """Whether an instruction had metadata: nobody else looks for some."""
    state: Mapped[OrderState] = mapped_column(choice(OrderState), default=OrderState.ACCEPTED)
    reason: Mapped[str | None] = mapped_column(String(40), default=None)
    """Why the whole order was refused on chain."""
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("transactions.id"), default=None)
    """Without an index, like the block: an order changes twice, and each index more would be written each time."""
    block_number: Mapped[int | None] = mapped_column(BigInt, default=None)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    submitted_at: Mapped[datetime | None] = mapped_column(default=None)
    settled_at: Mapped[datetime | None] = mapped_column(default=None)
    traceparent: Mapped[str | None] = mapped_column(String(tracing.LONGEST), default=None, deferred=True)
    """The trace of the request that brought the order, where that is recorded (docs/decisions/0069-one-trace-an-order.md)."""

    instructions: Mapped[list[Instruction]] = relationship(
        primaryjoin="Order.seq == foreign(Instruction.order_seq)", order_by="Instruction.item", back_populates="order"
    )

    def signed(self) -> wire.SignedOrder:
        """What the merchant signed."""
        (order,) = wire.decode_orders(self.packed)
        return order


class Instruction(Base):
    """One movement of an order. Only `live` and `refused` ever change: `entries` and `rejections` tell what became of it."""

    __tablename__ = "instructions"
    __table_args__ = (
        # A merchant's document number has one effect: while one instruction with it stands, a second one is a duplicate. The number
        # comes first, so that the index also answers who has it at all.
        Index(
            "instructions_live_reference_unique",
            "reference",
            "merchant_number",
            "kind",
            unique=True,
            postgresql_where=text("live AND reference IS NOT NULL"),
            sqlite_where=text("live AND reference IS NOT NULL"),
        ),
        partial_index("instructions_dead_reference_index", "reference", where="NOT live AND reference IS NOT NULL"),
        partial_index("instructions_original_index", "original_id", where="original_id IS NOT NULL"),
        # Reversals (6): whoever burns points has to know what the pending ones will take back.
        partial_index("instructions_taking_back_index", "draws_address", "draws_program", where="kind = 6"),
        # Pages of movements, newest first. A list is made of these (`movement_sources` says how); each index more would cost
        # every movement that is ever made, so there are only three over all of them.
        Index("instructions_program_index", "program", "kind", "order_seq", "item"),
        partial_index("instructions_agreement_index", "agreement", "kind", "order_seq", "item", where="agreement > 0"),
        Index("instructions_member_index", "member_id", "order_seq", "item"),
        partial_index("instructions_reversal_giver_index", "giver", "program", "order_seq", "item", where="kind = 6"),
        partial_index(
            "instructions_reversal_receiver_index", "receiver", "program", "order_seq", "item", where="kind = 6"
        ),
        # The same for those that were refused: there are few, wherever they are.
        partial_index("instructions_refused_index", "refused", "order_seq", "item", where="refused IS NOT NULL"),
        partial_index(
            "instructions_refused_program_index",
            *("program", "kind", "refused", "order_seq", "item"),
            where="refused IS NOT NULL",
        ),
        partial_index(
            "instructions_refused_agreement_index",
            *("agreement", "kind", "refused", "order_seq", "item"),
            where="refused IS NOT NULL AND agreement > 0",
        ),
        # The recipients of transfers: a merge and an erasure look for them.
        partial_index("instructions_recipient_index", "recipient_id", where="recipient_id IS NOT NULL"),
    )

    # No foreign keys: they were half of what a row cost. An order's rows are stored after it, in its transaction, and neither is
    # ever deleted; its members are locked together before (`MemberRepository.keep`).
    order_seq: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    item: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    merchant_number: Mapped[int]
    kind: Mapped[int]
    member_id: Mapped[str | None] = mapped_column(String(40), info=NAMES_MEMBER)
    address: Mapped[str] = mapped_column(String(42))
    program: Mapped[int]
    agreement: Mapped[int] = mapped_column(default=0)
    points: Mapped[int] = mapped_column(Big)
    min_out: Mapped[int] = mapped_column(Big, default=0)
    expiry_day: Mapped[int] = mapped_column(default=0)
    link: Mapped[bytes] = mapped_column(Hash)
    ref: Mapped[bytes] = mapped_column(Hash)
    reference: Mapped[str | None] = mapped_column(String(140), default=None)
    target_program: Mapped[int] = mapped_column(default=0)
    """The program that points enter; 0 for none."""
    giver: Mapped[int | None] = mapped_column(default=None)
    """The merchant whose points go. None where they come out of nothing."""
    receiver: Mapped[int | None] = mapped_column(default=None)
    """The merchant whose points come, or who takes them for goods. None where they end."""
    recipient_id: Mapped[str | None] = mapped_column(String(40), default=None, info=NAMES_MEMBER)
    """Of a transfer: the member to whom the points go."""
    original_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """Of a reversal: the instruction that it undoes, or a part of it."""
    draws_address: Mapped[str | None] = mapped_column(String(42), default=None)
    draws_program: Mapped[int | None] = mapped_column(default=None)
    """With `draws_address`: the account from which it takes points. Usually its own; not in most reversals."""
    reserves: Mapped[int] = mapped_column(Big, default=0)
    """Points reserved on the account that it draws on until the order is final."""
    payer: Mapped[int | None] = mapped_column(default=None)
    pays: Mapped[int] = mapped_column(Big, default=0)
    """Micros reserved on the payer's position until the order is final."""
    uses: Mapped[int] = mapped_column(Big, default=0)
    """Source points reserved of the agreement's daily cap until the order is final."""
    live: Mapped[bool] = mapped_column(default=True)
    """False once the instruction is refused: then its reference may be used again."""
    refused: Mapped[OrderState | None] = mapped_column(choice(OrderState), default=None)
    """The state in which it ended without effect: `rejected` (also by an order that settled in part), `expired` or `cancelled`."""

    order: Mapped[Order] = relationship(
        primaryjoin="foreign(Instruction.order_seq) == Order.seq", back_populates="instructions"
    )


class MovementMetadata(Base):
    """A JSON object of the signer's own, kept beside an instruction. Nothing that is signed or on the chain depends on it."""

    __tablename__ = "movement_metadata"
    __table_args__ = (
        ForeignKeyConstraint(
            ["order_seq", "item"],
            ["instructions.order_seq", "instructions.item"],
            name="movement_metadata_instruction_fkey",
        ),
    )

    order_seq: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    item: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[str] = mapped_column(Text)
    """Compact JSON, as text: a database's own JSON might write a number in another way."""


class InstructionRow(NamedTuple):
    """What people are shown of an instruction, and what it reserves, read without a model: a block ends thousands of them."""

    order_seq: int
    item: int
    id: str
    merchant_number: int
    kind: int
    member_id: str | None
    program: int
    target_program: int
    agreement: int
    giver: int | None
    receiver: int | None
    points: int
    expiry_day: int
    reference: str | None
    recipient_id: str | None
    original_id: str | None
    address: str
    draws_address: str | None
    draws_program: int | None
    reserves: int
    payer: int | None
    pays: int
    uses: int

    @property
    def has_two_merchants(self) -> bool:
        """Whether one merchant gives and another receives."""
        return self.giver is not None and self.receiver is not None and self.giver != self.receiver


OrderKey = tuple[int, int]
"""(merchant number, nonce): by what the chain knows an order."""


class OrderRow(NamedTuple):
    """What people are shown of an order, read without a model: a block ends hundreds of them."""

    seq: int
    id: str
    merchant_number: int
    nonce: int
    deadline: int
    atomic: bool
    digest: bytes
    size: int
    state: OrderState
    reason: str | None
    transaction_id: int | None
    block_number: int | None
    created_at: datetime
    settled_at: datetime | None

    @property
    def key(self) -> OrderKey:
        """By what the chain knows it."""
        return self.merchant_number, self.nonce


@dataclass(frozen=True, slots=True)
class QueuedOrder:
    """An order as a batch takes it."""

    row: OrderRow
    packed: bytes
    load: Load
    """What its gas depends on."""

    def signed(self) -> wire.SignedOrder:
        """What the merchant signed."""
        (order,) = wire.decode_orders(self.packed)
        return order


@dataclass(frozen=True, slots=True)
class Movement:
    """An instruction with its order and its outcome."""

    instruction: Instruction
    order: Order
    entry: Entry | None
    batch: Batch | None
    reason: str | None
    reversed: int = 0
    """Points of it that reversals have undone or, pending, will undo."""

    @property
    def state(self) -> OrderState:
        """The instruction's own state: an order that settles in part has refused instructions, too."""
        if self.order.state is OrderState.SETTLED and self.entry is None:
            return OrderState.REJECTED
        return self.order.state

    @property
    def reversible(self) -> int:
        """Points of it that a reversal may still undo."""
        if self.entry is None or self.instruction.kind == wire.Kind.REVERSE:
            return 0
        return self.entry.points - self.reversed
