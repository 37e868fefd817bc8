"""Transfer: points move from one member to another, within a program of the merchant's own."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.errors import Pointer, Refused
from clearing.kit.fields import MemberName, ProgramName
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.requests import MemberRequest
from clearing.ordering.orders.resolution import Draft, Gain, Resolver, Sides, drawn
from clearing.parties.access.service import Scope
from tongdui.encoding import address_word
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest(MemberRequest):
    """Points of a program of yours, from `member` to `recipient`. You know both of them."""

    kind = Kind.TRANSFER

    program: ProgramName
    recipient: MemberName

    @property
    def named_members(self) -> tuple[str, ...]:
        """Whose points they are, and whose they become."""
        return (self.member, self.recipient)


class Transfer(InstructionKind[TransferRequest]):
    """Moves points to another member; they keep their expiry."""

    kind = Kind.TRANSFER
    noun = "transfer"
    collection = "transfers"
    id_prefix = "trf"
    scope = Scope.TRANSFER
    summary = "Moves points of a program of yours from one member to another. They keep their expiry day."
    request = TransferRequest

    def resolve(self, resolver: Resolver, request: TransferRequest, at: Pointer) -> Draft:
        """Takes the points from the member and gives them to the recipient."""
        program = resolver.own_program(request, request.program, at)
        member = resolver.member(request, at)
        recipient = resolver.known_member(request.recipient, at("recipient"))
        if recipient.address == member.address:
            detail = "the recipient is the member itself: name another member"
            raise Refused.at(at("recipient"), detail, code="bad_recipient")
        resolver.refuse_suspended()
        instruction = resolver.instruction(request, member, program, link=address_word(recipient.address))
        return Draft(
            request,
            at,
            member,
            instruction,
            Sides(resolver.merchant.number, resolver.merchant.number, program.number),
            drawn(instruction),
            Gain((recipient.address, program.number), request.points),
            recipient=recipient.id,
        )
