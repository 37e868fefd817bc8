"""Exchange: points of one program become points of another, and the merchants settle what that costs."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.errors import Pointer
from clearing.kit.fields import PointsOrZero, ProgramName
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.kinds.conversions import (
    ConversionRequest,
    agreement_of,
    charge_of,
    member_of,
    sides_of,
)
from clearing.ordering.orders.resolution import Draft, Gain, Resolver, drawn
from clearing.parties.access.service import Scope
from clearing.parties.agreements.models import AgreementKind
from clearing.parties.agreements.usability import NamedAgreement
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest(ConversionRequest):
    """Points of one program for points of another, by `quote`, by `agreement`, or by the agreement between two programs.

    The merchant of the target program needs the member's one-time code, and an agreement that lets it start exchanges.
    """

    kind = Kind.EXCHANGE

    source_program: ProgramName | None = None
    target_program: ProgramName | None = None
    min_out: PointsOrZero | None = None


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
        named = NamedAgreement(request.agreement, request.source_program, request.target_program)
        agreement, promised = agreement_of(resolver, request, named, AgreementKind.EXCHANGE, at)
        least = request.min_out or promised
        member, movement = member_of(resolver, request, agreement, self.id_prefix, at)
        resolver.refuse_suspended()
        conversion = resolver.usability.converted(agreement, request.points, least, at)
        program = resolver.source_program(agreement)
        instruction = resolver.instruction(request, member, program, agreement=agreement.number or 0, min_out=least)
        return Draft(
            request,
            at,
            member,
            instruction,
            sides_of(agreement),
            drawn(instruction),
            Gain((member.address, agreement.target_program), conversion.out),
            charge_of(agreement, conversion, request.points),
            conversion,
            movement=movement,
        )
