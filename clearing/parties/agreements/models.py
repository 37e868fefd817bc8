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
    """`proposed` with one signature or none, `accepted` with both, `active` once the contract has registered it.

    A proposal ends as `withdrawn` by its proposer, `declined` by the other side, or `lapsed`. The last is never stored: it is what
    a proposal is after its `accept_by`.
    """

    PROPOSED = "proposed"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"
    LAPSED = "lapsed"
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
    proposer: Mapped[int | None] = mapped_column(default=None)
    """Number of the merchant that proposed it; None where it was registered past this gateway."""
    ends_at: Mapped[int] = mapped_column(BigInt)
    """Unix seconds: `valid_until`, or earlier if it was superseded or terminated."""
    terminates_at: Mapped[int | None] = mapped_column(BigInt, default=None)
    """Unix seconds: the end for which a merchant has signed, as long as the chain has yet to confirm it."""
    superseded_by: Mapped[int | None] = mapped_column(default=None)
    """Number of the agreement that has taken its place on the chain."""
    reason: Mapped[str | None] = mapped_column(default=None)
    """Why the contract refused to register it, or else to terminate it."""
    is_end_told: Mapped[bool] = mapped_column(default=False)
    """Whether the merchants were told that its time, or the time for signing it, is over."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    @property
    def usable_until(self) -> int:
        """Unix seconds: its end, or the earlier one of a termination on its way to the chain, which may confirm it any moment."""
        return self.ends_at if self.terminates_at is None else min(self.ends_at, self.terminates_at)

    def state_at(self, moment: int) -> AgreementState:
        """Its state at a moment (Unix seconds): a proposal lapses without anybody writing that down."""
        has_lapsed = self.state is AgreementState.PROPOSED and 0 < self.accept_by < moment
        return AgreementState.LAPSED if has_lapsed else self.state

    def lacks_signature_of(self, merchant: int) -> bool:
        """Whether this merchant is on one of its sides and has not signed for it."""
        return (merchant == self.source_merchant and self.source_signature is None) or (
            merchant == self.target_merchant and self.target_signature is None
        )

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
