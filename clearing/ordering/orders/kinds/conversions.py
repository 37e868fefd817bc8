"""What the kinds share that convert points under an agreement: exchange and spend."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.errors import InvalidRequest, Pointer
from clearing.kit.fields import AgreementId, MemberCode, MemberName, QuoteId
from clearing.kit.ids import new_id
from clearing.ordering.orders.requests import MEMBER_OR_CODE, PointsRequest
from clearing.ordering.orders.resolution import CapUse, Charge, Resolver, Sides
from clearing.parties.agreements.conversion import Conversion
from clearing.parties.agreements.models import Agreement, AgreementKind
from clearing.parties.agreements.usability import NamedAgreement
from clearing.parties.codes.service import MemberCodeService
from clearing.parties.members.models import Member
from clearing.parties.members.repository import KnownMember


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest(PointsRequest):
    """What exchanges and spends ask for: points of a `member`, or of whoever gave you the one-time `member_code`."""

    member: MemberName | None = None
    member_code: MemberCode | None = None
    agreement: AgreementId | None = None
    quote: QuoteId | None = None

    @property
    def named_members(self) -> tuple[str, ...]:
        """The member, if the request names one."""
        return (self.member,) if self.member is not None else ()

    @property
    def named_quotes(self) -> tuple[str, ...]:
        """The quote, if the request names one."""
        return (self.quote,) if self.quote is not None else ()

    @property
    def is_alone(self) -> bool:
        """Presenting a member's code uses it up."""
        return self.member_code is not None


def agreement_of(
    resolver: Resolver, request: ConversionRequest, named: NamedAgreement, kind: AgreementKind, at: Pointer
) -> tuple[Agreement, int]:
    """The agreement that the request uses, and the target points that its quote promises (0 without one)."""
    promised = 0
    if request.quote is not None:
        quote = resolver.quote(request.quote, request.points, at)
        named = named._replace(agreement=quote.agreement_id)
        promised = quote.out
    has_consent = request.member_code is not None or resolver.held is not None
    agreement = resolver.agreement(named, kind=kind, has_consent=has_consent, at=at)
    resolver.refuse_other_agreement(agreement, at)
    return agreement, promised


def member_of(
    resolver: Resolver, request: ConversionRequest, agreement: Agreement, id_prefix: str, at: Pointer
) -> tuple[Member | KnownMember, str | None]:
    """The member whom the request names, or whose code it presents; with a code, also the id of the movement that uses it up."""
    if request.member is not None and request.member_code is None:
        return resolver.known_member(request.member, at("member")), None
    if request.member is None and request.member_code is not None:
        movement = new_id(id_prefix)
        member = MemberCodeService(resolver.session).present(
            resolver.merchant,
            request.member_code,
            program=agreement.source_program,
            points=request.points,
            at=at,
            used_for=movement,
            actor=resolver.actor,
        )
        return member, movement
    raise InvalidRequest.at(at("member"), MEMBER_OR_CODE)


def sides_of(agreement: Agreement) -> Sides:
    """Whose points go, and who takes them."""
    return Sides(agreement.source_merchant, agreement.target_merchant, agreement.target_program)


def charge_of(agreement: Agreement, conversion: Conversion, points: int) -> Charge:
    """What the source merchant pays for the conversion of `points`, and what that uses of the daily cap."""
    use = CapUse(agreement.daily_cap, needed=conversion.burnt, reserved=points)
    return Charge(agreement.source_merchant, conversion.paid, use)
