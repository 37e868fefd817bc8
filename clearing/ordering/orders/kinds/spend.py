"""Spend: points are taken at another merchant's till, and their issuer pays for them."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.errors import Pointer
from clearing.kit.fields import MerchantId, ProgramName
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.kinds.conversions import (
    ConversionRequest,
    agreement_of,
    charge_of,
    member_of,
    sides_of,
)
from clearing.ordering.orders.resolution import Draft, Resolver, drawn
from clearing.parties.access.service import Scope
from clearing.parties.agreements.models import AgreementKind
from clearing.parties.agreements.usability import NamedAgreement
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRequest(ConversionRequest):
    """Points for goods: by `quote`, by `agreement`, or by the agreement about a `program` between its issuer and an acceptor.

    An acceptor needs the member's one-time code, and need not name itself.
    """

    kind = Kind.SPEND

    program: ProgramName | None = None
    target_merchant: MerchantId | None = None


class Spend(InstructionKind[SpendRequest]):
    """Burns points at an acceptor's till; the issuer pays for them."""

    kind = Kind.SPEND
    noun = "spend"
    collection = "spends"
    id_prefix = "spd"
    scope = Scope.SPEND
    summary = (
        "Takes points of one merchant's program for another merchant's goods; the issuer pays the acceptor at once."
    )
    request = SpendRequest
    can_capture = True
    not_captured = frozenset({"quote"})

    def resolve(self, resolver: Resolver, request: SpendRequest, at: Pointer) -> Draft:
        """Burns the points, and charges their issuer with price and fee."""
        named = NamedAgreement(
            request.agreement, request.program, target_merchant=request.target_merchant, program_field="program"
        )
        agreement, _ = agreement_of(resolver, request, named, AgreementKind.ACCEPTANCE, at)
        member, movement = member_of(resolver, request, agreement, self.id_prefix, at)
        conversion = resolver.usability.converted(agreement, request.points, 0, at)
        program = resolver.source_program(agreement)
        instruction = resolver.instruction(request, member, program, agreement=agreement.number or 0)
        return Draft(
            request,
            at,
            member,
            instruction,
            sides_of(agreement),
            drawn(instruction),
            charge=charge_of(agreement, conversion, request.points),
            conversion=conversion,
            movement=movement,
        )
