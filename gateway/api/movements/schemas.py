"""Movements of points, the orders that carry them, quotes and nonces."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StrictBool

from clearing.ordering.orders.models import OrderState
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from gateway.http.schemas import (
    MAX_SAFE,
    Body,
    Day,
    Hex,
    Id,
    MemberName,
    Points,
    ProgramName,
    Reference,
    Signature,
    View,
    Word,
)
from tongdui.encoding import bytes_of
from tongdui.orders import NONCE_MAX, Kind, signature_bytes

# -------------------------------------------------------------------- requests


class AuthorizationBody(Body):
    """Your own signature over the order (EIP-712 type `Order`). Without it the gateway signs with the key it keeps for you."""

    nonce: Annotated[int, Field(strict=True, ge=0, le=NONCE_MAX)]
    deadline: Annotated[int, Field(strict=True, ge=0, le=2**40 - 1, description="Unix seconds")]
    signature: Signature

    def wire(self) -> Authorization:
        """What the service takes."""
        return Authorization(self.nonce, self.deadline, signature_bytes(self.signature))


class _Instruction(Body):
    member: MemberName
    points: Points
    reference: Reference | None = None
    ref: Word | None = Field(default=None, description="salted hash of the reference, for the chain; zero if missing")

    def _ref(self) -> bytes | None:
        return bytes_of(self.ref) if self.ref else None


class IssueFields(_Instruction):
    """New points for a member, of a program of yours."""

    program: ProgramName
    expires_on: Day | None = Field(
        default=None, description="the first day without them, in the network's time zone; else the program's default"
    )

    def request(self, pointer: str = "") -> InstructionRequest:
        """What the service takes."""
        return InstructionRequest(
            Kind.ISSUE,
            self.member,
            self.points,
            self.program,
            expires_on=self.expires_on,
            reference=self.reference,
            ref=self._ref(),
            pointer=pointer,
        )


class RedeemFields(_Instruction):
    """Points taken in at your own till, of a program of yours."""

    program: ProgramName

    def request(self, pointer: str = "") -> InstructionRequest:
        """What the service takes."""
        return InstructionRequest(
            Kind.REDEEM,
            self.member,
            self.points,
            self.program,
            reference=self.reference,
            ref=self._ref(),
            pointer=pointer,
        )


class ExpireFields(_Instruction):
    """Points whose day has come, of a program of yours. The member may be one whom you do not know."""

    program: ProgramName

    def request(self, pointer: str = "") -> InstructionRequest:
        """What the service takes."""
        return InstructionRequest(
            Kind.EXPIRE,
            self.member,
            self.points,
            self.program,
            reference=self.reference,
            ref=self._ref(),
            pointer=pointer,
        )


class ExchangeFields(_Instruction):
    """Points of one program for points of another, by `quote`, by `agreement`, or by the agreement between two programs."""

    agreement: Id | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    min_out: Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE)] | None = None
    quote: Id | None = None

    def request(self, pointer: str = "") -> InstructionRequest:
        """What the service takes."""
        return InstructionRequest(
            Kind.EXCHANGE,
            self.member,
            self.points,
            self.source_program,
            agreement=self.agreement,
            target_program=self.target_program,
            min_out=self.min_out,
            quote=self.quote,
            reference=self.reference,
            ref=self._ref(),
            pointer=pointer,
        )


class IssuanceCreate(IssueFields):
    """An issuance."""

    authorization: AuthorizationBody | None = None


class RedemptionCreate(RedeemFields):
    """A redemption."""

    authorization: AuthorizationBody | None = None


class ExchangeCreate(ExchangeFields):
    """An exchange."""

    authorization: AuthorizationBody | None = None


class IssueItem(IssueFields):
    """An issuance in an order."""

    kind: Literal["issue"]


class RedeemItem(RedeemFields):
    """A redemption in an order."""

    kind: Literal["redeem"]


class ExchangeItem(ExchangeFields):
    """An exchange in an order."""

    kind: Literal["exchange"]


class ExpireItem(ExpireFields):
    """An expiration in an order."""

    kind: Literal["expire"]


Item = Annotated[IssueItem | RedeemItem | ExchangeItem | ExpireItem, Field(discriminator="kind")]


class OrderCreate(Body):
    """Up to 500 instructions under one signature, some 400 of exchanges. `atomic`: all of them take effect, or none."""

    instructions: Annotated[list[Item], Field(min_length=1, max_length=500)]
    atomic: StrictBool = False
    authorization: AuthorizationBody | None = None


class QuoteCreate(Body):
    """An exchange to price: by agreement, or by the agreement in force between two programs."""

    agreement: Id | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    points: Points
    member: MemberName | None = Field(default=None, description="checks the member's balance as well")


class NonceRequest(Body):
    """Nonces to set aside for orders that you sign yourself."""

    count: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 1


# -------------------------------------------------------------------- answers


class MovementEntryView(View):
    """What the chain posted."""

    leaf: Hex
    batch: int
    index: int
    points: int
    out: int
    settled_micros: int
    fee_micros: int
    tx_hash: Hex
    block_number: int
    settled_at: datetime | None


class MovementView(View):
    """One instruction and what became of it."""

    id: str
    object: Literal["issuance", "redemption", "exchange", "spend", "transfer", "reversal", "expiration"]
    order: str
    state: OrderState
    reason: str | None = Field(description="why it was rejected", examples=["insufficient_points"])
    merchant: str
    member: str | None
    program: str
    agreement: str | None
    points: int = Field(description="as asked for; `entry.points` is what moved")
    reference: str | None
    expires_on: date | None
    created_at: datetime
    entry: MovementEntryView | None


class OrderView(View):
    """What one merchant signed, with its movements."""

    id: str
    state: OrderState
    merchant: str
    nonce: int
    deadline: int = Field(description="Unix seconds")
    atomic: bool
    digest: Hex
    reason: str | None
    size: int = Field(description="instructions in the order")
    rejected_count: int = Field(description="of a final order, how many instructions did not take effect")
    movements: list[MovementView] | None = Field(description="null where `Prefer: return=minimal` asked for none")
    created_at: datetime
    settled_at: datetime | None
    tx_hash: Hex | None
    block_number: int | None


class QuoteView(View):
    """What an exchange gives, locked until it expires."""

    id: str
    agreement: str
    points: int
    points_burnt: int
    out: int
    settled_micros: int
    fee_micros: int
    rate_num: int
    rate_den: int
    expires_at: datetime


class NoncesView(View):
    """`first` to `first + count - 1` are yours."""

    first: int
    count: int
