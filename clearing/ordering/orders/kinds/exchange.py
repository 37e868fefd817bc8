"""Exchange: points of one program become points of another, and the merchants settle what that costs."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.errors import Pointer
from clearing.kit.fields import AgreementId, PointsOrZero, ProgramName, QuoteId
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.resolution import CapUse, Charge, Draft, Gain, Resolver, Sides, drawn
from clearing.parties.access.service import Scope
from clearing.parties.agreements.models import Agreement
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest(InstructionRequest):
    """Points of one program for points of another, by `quote`, by `agreement`, or by the agreement between two programs."""

    kind = Kind.EXCHANGE

    agreement: AgreementId | None = None
    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    min_out: PointsOrZero | None = None
    quote: QuoteId | None = None


class Exchange(InstructionKind[ExchangeRequest]):
    """Burns source points and mints target points; the source merchant pays for them."""

    kind = Kind.EXCHANGE
    noun = "exchange"
    collection = "exchanges"
    id_prefix = "exc"
    scope = Scope.EXCHANGE
    summary = "Changes points into another program's; the merchants are settled in the same transaction on chain."
    request = ExchangeRequest
    program_field = "source_program"
    can_capture = True
    not_captured = frozenset({"quote"})

    def resolve(self, resolver: Resolver, request: ExchangeRequest, at: Pointer) -> Draft:
        """Burns what buys whole target points, mints those, and charges the source merchant with price and fee."""
        agreement, least = _agreement(resolver, request, at)
        member = resolver.member(request, at)
        resolver.refuse_suspended()
        conversion = resolver.usability.converted(agreement, request.points, least, at)
        program = resolver.source_program(agreement)
        instruction = resolver.instruction(request, member, program, agreement=agreement.number or 0, min_out=least)
        return Draft(
            request,
            at,
            member,
            instruction,
            Sides(agreement.source_merchant, agreement.target_merchant, agreement.target_program),
            drawn(instruction),
            Gain(agreement.target_program, conversion.out),
            Charge(
                agreement.source_merchant,
                conversion.paid,
                CapUse(agreement.daily_cap, needed=conversion.burnt, reserved=request.points),
            ),
            conversion,
        )


def _agreement(resolver: Resolver, request: ExchangeRequest, at: Pointer) -> tuple[Agreement, int]:
    """The agreement that the request uses, and the fewest target points it accepts."""
    if request.quote is not None:
        agreement, promised = resolver.quoted(request.quote, request.points, request.source_program, at)
        return agreement, request.min_out or promised
    agreement = resolver.exchange_agreement(
        agreement_id=request.agreement,
        source_program=request.source_program,
        target_program=request.target_program,
        at=at,
    )
    return agreement, request.min_out or 0
