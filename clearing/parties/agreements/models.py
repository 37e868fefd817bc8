"""Tables of agreements, and of what they have used of their daily caps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from clearing.kit.clock import time_of_insert
from clearing.kit.database import Base, Big, BigInt, Hash, choice
from tongdui.orders import AgreementTerms


class AgreementKind(IntEnum):
    """Points for another program's points, or points for goods; the wire's numbers."""

    EXCHANGE = 1
    ACCEPTANCE = 2


class Initiator(IntEnum):
    """The sides that may sign orders under the agreement; the wire's bits."""

    SOURCE = 1
    TARGET = 2


class AgreementState(StrEnum):
    """`proposed` with one signature or none, `accepted` with both, `active` once the contract has registered it."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    TERMINATED = "terminated"
    FAILED = "failed"


class Agreement(Base):
    """Terms between two merchants. The columns from `kind` to `document` are the fields of the wire's `AgreementTerms`."""

    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int | None] = mapped_column(unique=True, default=None)
    """Its id on the chain, counted from 1; assigned once both merchants have signed."""
    state: Mapped[AgreementState] = mapped_column(choice(AgreementState), default=AgreementState.PROPOSED, index=True)
    kind: Mapped[int]
    initiators: Mapped[int]
    fee_bps: Mapped[int]
    lifetime_days: Mapped[int]
    source_merchant: Mapped[int] = mapped_column(ForeignKey("merchants.number"), index=True)
    target_merchant: Mapped[int] = mapped_column(ForeignKey("merchants.number"), index=True)
    source_program: Mapped[int]
    target_program: Mapped[int]
    valid_from: Mapped[int] = mapped_column(BigInt)
    valid_until: Mapped[int] = mapped_column(BigInt)
    """As signed; `ends_at` says when it really ends."""
    rate_num: Mapped[int] = mapped_column(BigInt)
    rate_den: Mapped[int] = mapped_column(BigInt)
    unit_price_micros: Mapped[int] = mapped_column(Big)
    max_points: Mapped[int] = mapped_column(Big)
    daily_cap: Mapped[int] = mapped_column(Big)
    supersedes: Mapped[int] = mapped_column(default=0)
    """Number of the agreement that it replaces, or 0."""
    grace_seconds: Mapped[int] = mapped_column(default=0)
    accept_by: Mapped[int] = mapped_column(BigInt, default=0)
    """Unix seconds after which the terms can no longer be registered; 0 for none."""
    keep_expiry: Mapped[bool] = mapped_column(default=False)
    """Exchange: the points that it mints expire no later than those that it burns."""
    document: Mapped[bytes] = mapped_column(Hash)
    digest: Mapped[bytes] = mapped_column(Hash, unique=True)
    source_signature: Mapped[bytes | None] = mapped_column(LargeBinary(64), default=None)
    target_signature: Mapped[bytes | None] = mapped_column(LargeBinary(64), default=None)
    ends_at: Mapped[int] = mapped_column(BigInt)
    """Unix seconds: `valid_until`, or earlier if it was superseded or terminated."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    @property
    def terms(self) -> AgreementTerms:
        """The signed terms."""
        return AgreementTerms(**{name: getattr(self, name) for name in AgreementTerms.__dataclass_fields__})


class AgreementUse(Base):
    """What an agreement (by number) has used of its daily cap: the source points burnt on a network day.

    Day 0 stands for the points that orders on their way to the chain have reserved: no one knows their day yet.
    """

    __tablename__ = "agreement_uses"

    agreement: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    points: Mapped[int] = mapped_column(Big, default=0)


@dataclass(frozen=True, slots=True)
class Route:
    """The sides of an agreement, as the chain's numbers."""

    source_merchant: int
    target_merchant: int
    target_program: int
