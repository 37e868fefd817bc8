"""Issue: a merchant gives a member new points of a program of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from clearing.kit.errors import Pointer, Refused
from clearing.kit.fields import Day, ProgramName
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.requests import MemberRequest
from clearing.ordering.orders.resolution import Draft, Gain, Resolver, Sides
from clearing.parties.access.service import Scope
from clearing.parties.programs.models import Program
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRequest(MemberRequest):
    """New points for a member, of a program of yours."""

    kind = Kind.ISSUE

    program: ProgramName
    expires_on: Annotated[
        Day | None,
        Field(description="the first day without them, in the network's time zone; else the program's default"),
    ] = None


class Issue(InstructionKind[IssueRequest]):
    """Mints points."""

    kind = Kind.ISSUE
    noun = "issuance"
    collection = "issuances"
    id_prefix = "iss"
    scope = Scope.ISSUE
    summary = "Gives a member new points. A movement that the chain rejects has state `rejected` and its reason."
    request = IssueRequest

    def resolve(self, resolver: Resolver, request: IssueRequest, at: Pointer) -> Draft:
        """Mints the points for the member, with their expiry day."""
        program = resolver.own_program(request, request.program, at)
        member = resolver.member(request, at)
        resolver.refuse_suspended()
        resolver.require_under_cap(program, request.points, at("points"))
        expiry_day = _expiry_day(resolver, request, program, at)
        instruction = resolver.instruction(request, member, program, expiry_day=expiry_day)
        sides = Sides(receiver=resolver.merchant.number, target_program=program.number)
        return Draft(
            request, at, member, instruction, sides, gain=Gain((member.address, program.number), request.points)
        )


def _expiry_day(resolver: Resolver, request: IssueRequest, program: Program, at: Pointer) -> int:
    network = resolver.network
    today = network.day_at(resolver.clock.unix())
    if request.expires_on is None:
        return today + program.default_lifetime_days if program.default_lifetime_days else 0
    day = network.day_of(request.expires_on)
    if day <= today:
        detail = f"{request.expires_on} is not after today ({network.date_of(today)})"
        raise Refused.at(at("expires_on"), detail, code="already_expired")
    return day
