"""Tables of member codes, and of the wrong ones that merchants have presented."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, BigInt, Hash


class MemberCodeState(StrEnum):
    """Only a live code can be presented. The other states are for good."""

    LIVE = "live"
    USED = "used"
    EXPIRED = "expired"
    VOID = "void"


class MemberCode(Base):
    """A member's consent: another merchant may draw on its points once, at most `points`. Only the code's hash is stored."""

    __tablename__ = "member_codes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(Hash, unique=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    """Erasing the member erases its codes."""
    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"))
    """The member's own merchant, which asked for the code. The code is good for the programs of this merchant only."""
    points: Mapped[int] = mapped_column(BigInt)
    """The ceiling. A number that the database can compare: `Big` is text on SQLite."""
    program: Mapped[int | None] = mapped_column(default=None)
    """The only program whose points it may draw on; None: any of the merchant's."""
    presenter: Mapped[int | None] = mapped_column(default=None)
    """The only merchant that may present it; None: any."""
    refused_tries: Mapped[int] = mapped_column(default=0)
    """How often it was presented for what it does not allow."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    voided_at: Mapped[datetime | None] = mapped_column(default=None)
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    used_by: Mapped[int | None] = mapped_column(default=None)
    """The merchant that presented it."""
    used_points: Mapped[int | None] = mapped_column(BigInt, default=None)
    used_for: Mapped[str | None] = mapped_column(String(40), default=None)
    """Id of the hold or movement that it became."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    def state_at(self, at: datetime) -> MemberCodeState:
        """The state at a moment."""
        if self.used_at is not None:
            return MemberCodeState.USED
        if self.voided_at is not None:
            return MemberCodeState.VOID
        return MemberCodeState.EXPIRED if self.expires_at <= at else MemberCodeState.LIVE


class PresenterTries(Base):
    """How many wrong codes a merchant has presented since a moment. Without a row: none."""

    __tablename__ = "presenter_tries"

    merchant_number: Mapped[int] = mapped_column(ForeignKey("merchants.number"), primary_key=True, autoincrement=False)
    since: Mapped[datetime] = mapped_column(index=True)
    """The first of them. The count starts again when this is too long ago to matter."""
    wrong: Mapped[int]
