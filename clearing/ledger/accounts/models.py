"""Table of accounts: part of the read model, keyed as the chain keys it."""

from __future__ import annotations

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base, Big


class Account(Base):
    """A member's balance in a program. What an order may use of it, `ledger.availability` says."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "accounts_unswept_index",
            "address",
            "program",
            postgresql_where=text("unswept"),
            sqlite_where=text("unswept"),
        ),
    )

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    program: Mapped[int] = mapped_column(primary_key=True, index=True)
    posted: Mapped[int] = mapped_column(Big, default=0)
    """Points that the chain says the member has."""
    reserved: Mapped[int] = mapped_column(Big, default=0)
    """Of them, points that pending orders will take."""
    expiring: Mapped[int] = mapped_column(Big, default=0)
    """Points that pending expire orders will burn. Most of them are reserved, too; an atomic order may burn what it gains."""
    unswept: Mapped[bool] = mapped_column(default=False)
    """Since the expiry round last swept it, points whose day has come may have come here or become free."""
