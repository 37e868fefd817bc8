"""Redeem: a merchant takes points of a program of its own in at its till."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.errors import Pointer
from clearing.kit.fields import ProgramName
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.requests import MemberRequest
from clearing.ordering.orders.resolution import Draft, Resolver, Sides, drawn
from clearing.parties.access.service import Scope
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemRequest(MemberRequest):
    """Points taken in at your own till, of a program of yours."""

    kind = Kind.REDEEM

    program: ProgramName


class Redeem(InstructionKind[RedeemRequest]):
    """Burns points at the issuer's till."""

    kind = Kind.REDEEM
    noun = "redemption"
    collection = "redemptions"
    id_prefix = "red"
    scope = Scope.REDEEM
    summary = "Takes points in at your own till. A movement that the chain rejects has state `rejected` and its reason."
    request = RedeemRequest
    can_capture = True

    def resolve(self, resolver: Resolver, request: RedeemRequest, at: Pointer) -> Draft:
        """Burns the member's points."""
        program = resolver.own_program(request, request.program, at)
        member = resolver.member(request, at)
        instruction = resolver.instruction(request, member, program)
        return Draft(request, at, member, instruction, Sides(giver=resolver.merchant.number), drawn(instruction))
