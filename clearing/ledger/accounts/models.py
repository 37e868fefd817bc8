"""Table of accounts: part of the read model, keyed as the chain keys it."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base, Big


class Account(Base):
    """A member's balance in a program. `posted` is what the chain says; `reserved` is set aside by pending orders."""

    __tablename__ = "accounts"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    program: Mapped[int] = mapped_column(primary_key=True, index=True)
    posted: Mapped[int] = mapped_column(Big, default=0)
    reserved: Mapped[int] = mapped_column(Big, default=0)

    @property
    def available(self) -> int:
        """Points that a new order may use."""
        return self.posted - self.reserved
