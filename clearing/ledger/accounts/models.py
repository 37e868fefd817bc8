"""Table of accounts: part of the read model, keyed as the chain keys it."""

from __future__ import annotations

from sqlalchemy import Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.database import Base, Big

UNDATED = 2**31 - 1
"""As a day: the account never had a point that expires."""
NOTHING_DUE = UNDATED - 1
"""As a day: the account had such points, and has none now."""
AT_ONCE = 0
"""As a day: points whose day has come may have come here or become free."""


class Account(Base):
    """A member's balance in a program. What an order may use of it, `ledger.availability` says."""

    __tablename__ = "accounts"
    __table_args__ = (
        # What the expiry round goes through: no account that never has to be looked at is in it.
        Index(
            "accounts_due_index",
            "due_on",
            "program",
            "address",
            postgresql_where=text(f"due_on < {NOTHING_DUE}"),
            sqlite_where=text(f"due_on < {NOTHING_DUE}"),
        ),
        # An account changes with each of its movements. Where its page has room, its indexes need not know.
        {"postgresql_with": {"fillfactor": 70}},
    )

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    program: Mapped[int] = mapped_column(primary_key=True, index=True)
    posted: Mapped[int] = mapped_column(Big, default=0)
    """Points that the chain says the member has."""
    reserved: Mapped[int] = mapped_column(Big, default=0)
    """Of them, points that pending orders will take."""
    expiring: Mapped[int] = mapped_column(Big, default=0)
    """Points that pending expire orders will burn. Most of them are reserved, too; an atomic order may burn what it gains."""
    due_on: Mapped[int] = mapped_column(Integer, default=UNDATED)
    """The day from which on the expiry round has to look at it: none of its points that are good expires before. Every entry that
    brings points keeps it that way; the round sets it anew from the lots."""
