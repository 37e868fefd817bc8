"""Tables of one-time codes and of customers' sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, time_of_insert


class SignInCode(Base):
    """The code that one browser has asked for last. There is one also for a phone that nobody has: it is told to no one."""

    __tablename__ = "sign_in_codes"

    browser_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """Of the secret of the browser, which alone can use the code."""
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    """With a key from the settings, and made of the browser's secret, too."""
    phone: Mapped[str] = mapped_column(String(40))
    """To which it went, masked."""
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    identifier_id: Mapped[str | None] = mapped_column(String(40))
    """The customer's phone."""
    invited_phone: Mapped[str | None] = mapped_column(String(40))
    """The whole phone, if a friend's link was opened: whoever has the code may join with it."""
    tries: Mapped[int] = mapped_column(default=0)
    """How many wrong codes were typed."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class CustomerSession(Base):
    """A customer who has signed in, with one browser."""

    __tablename__ = "customer_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    identifier_id: Mapped[str] = mapped_column(String(40))
    """The phone by which the customer signed in: once it is theirs no more, the session has ended."""
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    seen_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    """When it was used last, to the minute."""
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)
