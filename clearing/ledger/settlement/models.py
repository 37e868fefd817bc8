"""Tables of positions and of the settlement bank's movements."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, Hash, choice


class Position(Base):
    """A merchant's net settlement balance, in micros. Pending orders and withdrawals will take `reserved` of it."""

    __tablename__ = "positions"

    merchant_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Big, default=0)
    credit_limit: Mapped[int] = mapped_column(Big, default=0)
    reserved: Mapped[int] = mapped_column(Big, default=0)

    @property
    def liquidity(self) -> int:
        """What the merchant can still pay."""
        return self.position + self.credit_limit - self.reserved


class BankMovementState(StrEnum):
    """`pending` until the chain confirms it."""

    PENDING = "pending"
    POSTED = "posted"
    FAILED = "failed"


class BankMovement(Base):
    """Money that came in (deposit) or went out (withdrawal) at the settlement bank."""

    __tablename__ = "bank_movements"
    __table_args__ = (
        UniqueConstraint("bank_ref"),
        Index("bank_movements_page_index", "kind", "created_at", "id"),
        Index("bank_movements_state_index", "kind", "state", "created_at", "id"),
        Index("bank_movements_merchant_page_index", "merchant_number", "kind", "created_at", "id"),
        Index("bank_movements_merchant_state_index", "merchant_number", "kind", "state", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    micros: Mapped[int] = mapped_column(Big)
    bank_reference: Mapped[str] = mapped_column(String(140))
    bank_ref: Mapped[bytes] = mapped_column(Hash)
    """keccak256 of the bank's reference: what the chain stores."""
    state: Mapped[BankMovementState] = mapped_column(choice(BankMovementState), default=BankMovementState.PENDING)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
