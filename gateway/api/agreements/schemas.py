"""Agreements."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StrictBool, model_validator

from clearing.kit.fields import (
    MAX_SAFE,
    AgreementId,
    MerchantId,
    MicrosOrZero,
    Moment,
    Points,
    ProgramName,
    Signature,
    Word,
)
from clearing.parties.agreements.models import AgreementKind, AgreementState, Initiator
from clearing.parties.agreements.terms import MAX_GRACE_SECONDS, Proposal
from gateway.http.schemas import Body, Hex, View, view_of
from tongdui.encoding import bytes_of
from tongdui.orders import AgreementTerms, signature_bytes

Side = Literal["source", "target"]
KindName = Literal["exchange", "acceptance"]
Rate = Annotated[int, Field(strict=True, ge=1, le=2**32 - 1)]


class AgreementCreate(Body):
    """Terms to propose. To sign them at once, give `valid_from`, `accept_by` and `document` too: the signature covers them."""

    kind: KindName
    source_program: ProgramName
    target_program: ProgramName | None = None
    target_merchant: MerchantId | None = None
    rate_num: Rate = 1
    rate_den: Rate = 1
    unit_price_micros: MicrosOrZero
    fee_bps: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    lifetime_days: Annotated[int, Field(strict=True, ge=0, le=65_535)] = 0
    max_points: Points
    daily_cap: Points
    initiators: list[Side] = Field(default=["source"], min_length=1, max_length=2)
    valid_from: Moment | None = Field(
        default=None,
        description="a minute ago, if it is missing, so that a chain whose time is behind holds the terms for begun too; "
        "fractions of a second are cut off",
    )
    valid_until: Moment
    supersedes: AgreementId | None = None
    grace_seconds: Annotated[int, Field(strict=True, ge=0, le=MAX_GRACE_SECONDS)] = 0
    accept_by: Moment | None = Field(
        default=None,
        description="the moment after which signatures are worth nothing and the contract no longer registers the terms; "
        "30 days from now, or `valid_until` if that is earlier, if it is missing; fractions of a second are cut off",
    )
    keep_expiry: StrictBool = Field(
        default=False,
        description="for an exchange: the points that it mints expire when the burnt ones would have, if that is earlier "
        "than `lifetime_days` from the exchange",
    )
    document: Word | None = Field(default=None, description="hash of the written contract; random, if it is missing")
    signature: Signature | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "exchange" and (self.target_program is None or self.target_merchant is not None):
            raise ValueError("an exchange has a target_program (and no target_merchant)")
        if self.kind == "acceptance" and (self.target_merchant is None or self.target_program is not None):
            raise ValueError("an acceptance has a target_merchant (and no target_program)")
        if self.signature is not None and None in (self.valid_from, self.accept_by, self.document):
            raise ValueError("a signature needs valid_from, accept_by and document, because it covers them")
        return self

    def proposal(self) -> Proposal:
        """The proposal, in the service's terms."""
        return Proposal(
            kind=AgreementKind[self.kind.upper()],
            source_program=self.source_program,
            target_program=self.target_program,
            target_merchant=self.target_merchant,
            rate_num=self.rate_num,
            rate_den=self.rate_den,
            unit_price_micros=self.unit_price_micros,
            fee_bps=self.fee_bps,
            lifetime_days=self.lifetime_days,
            max_points=self.max_points,
            daily_cap=self.daily_cap,
            initiators=sum(Initiator[side.upper()] for side in set(self.initiators)),
            valid_from=_unix(self.valid_from) if self.valid_from else None,
            valid_until=_unix(self.valid_until),
            supersedes=self.supersedes,
            grace_seconds=self.grace_seconds,
            accept_by=unix_or_none(self.accept_by),
            keep_expiry=self.keep_expiry,
            document=bytes_of(self.document) if self.document else None,
            signature=signature_bytes(self.signature) if self.signature else None,
        )


class AgreementPreviewCreate(AgreementCreate):
    """Terms to look at before anybody proposes them. What has no part in the answer may be missing."""

    points: Points = Field(default=1_000, description="source points of an imagined movement")
    max_points: Points = MAX_SAFE
    daily_cap: Points = MAX_SAFE
    valid_until: Moment = datetime(2100, 1, 1, tzinfo=UTC)


class SignatureAdd(Body):
    """Your signature over the agreement's digest. Without it, the gateway signs with the key that it keeps for you."""

    signature: Signature | None = None


class Termination(Body):
    """The moment at which the agreement ends, and your signature over it: EIP-712 type `Termination`.

    Without a signature, the gateway signs with the key that it keeps for you.
    """

    effective_at: Moment | None = Field(
        default=None, description="now, if it is missing or past; fractions of a second are cut off"
    )
    signature: Signature | None = None

    @model_validator(mode="after")
    def _covers_its_moment(self) -> Self:
        if self.signature is not None and self.effective_at is None:
            raise ValueError("a signature needs effective_at, because it covers it")
        return self


if TYPE_CHECKING:
    TermsView = View
else:
    TermsView = view_of(AgreementTerms, "TermsView", "The terms as they are signed (EIP-712 type `AgreementTerms`).")


class WarningView(View):
    """Something that both merchants should know before they sign."""

    code: Literal["expiry_renewal"] = Field(description="`expiry_renewal`: points can go round and come back younger")
    detail: str
    path: list[str] = Field(description="codes of the programs, in the order in which points pass them")


class AgreementView(View):
    """Versioned terms between two merchants, signed by both."""

    id: str
    number: int | None = Field(description="its number on chain; null until both have signed")
    kind: KindName
    state: AgreementState
    proposed_by: Side | None = Field(description="null if it was registered past this gateway")
    source_merchant: str
    target_merchant: str
    source_program: str
    target_program: str | None
    rate_num: int
    rate_den: int
    unit_price_micros: int
    fee_bps: int
    lifetime_days: int
    max_points: int
    daily_cap: int
    initiators: list[Side]
    valid_from: datetime
    valid_until: datetime = Field(description="as signed")
    ends_at: datetime = Field(description="`valid_until`, or earlier if it was superseded or terminated")
    terminates_at: datetime | None = Field(
        description="the end for which a merchant has signed and which the chain has yet to confirm"
    )
    supersedes: str | None
    superseded_by: str | None
    grace_seconds: int
    accept_by: datetime | None = Field(description="after it, the terms can no longer be registered; null for never")
    keep_expiry: bool
    document: Hex
    terms: TermsView
    digest: Hex
    signed_by: list[Side]
    reason: str | None = Field(description="why the contract refused to register it, or to terminate it")
    warnings: list[WarningView]
    created_at: datetime


class AgreementUseView(View):
    """What an agreement has used of today's cap. The cap leaves room for `left_points` more source points."""

    agreement: str
    day: date = Field(description="the network's day")
    daily_cap: int
    burnt_points: int = Field(description="source points burnt on the day, less what reversals gave back")
    reserved_points: int = Field(description="source points that orders on their way to the chain may burn")
    left_points: int


class ConversionView(View):
    """What a movement of `points` source points would do under the terms."""

    points: int = Field(description="as asked for")
    points_burnt: int = Field(description="what the member gives; the rest stays with the member")
    out: int = Field(description="points that the member gets; 0 in an acceptance, which gives goods")
    settled_micros: int = Field(description="what the source merchant pays to the target merchant")
    fee_micros: int = Field(description="what the source merchant pays to the operator on top")


class CycleView(View):
    """A way on which points come back to the program that they left: one point becomes `gain_num`/`gain_den` points."""

    path: list[str] = Field(description="codes of the programs, the first one again at the end")
    gain_num: int = Field(description="product of the rates, in lowest terms")
    gain_den: int
    is_allowed: bool = Field(description="false if one point would become more than one: such terms are refused")


class AgreementPreviewView(View):
    """What terms would mean, if they were proposed now."""

    kind: KindName
    source_merchant: str
    target_merchant: str
    source_program: str
    target_program: str | None
    conversion: ConversionView
    cycle: CycleView | None = Field(description="the best cycle that the terms would close; null if they close none")
    warnings: list[WarningView]


def kind_name(kind: int) -> KindName:
    """What the API calls a kind of agreement."""
    return "exchange" if kind == AgreementKind.EXCHANGE else "acceptance"


def unix_or_none(moment: datetime | None) -> int | None:
    """A moment in Unix seconds. What lies before 1970 is past, and the chain knows no such time."""
    return None if moment is None else max(0, _unix(moment))


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())
