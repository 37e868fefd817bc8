"""Expire: a merchant burns points of a program of its own whose day has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Pointer, Refused
from clearing.kit.fields import MemberOrAddress, ProgramName
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.availability.repository import HoldRepository
from clearing.ledger.availability.service import AvailabilityService
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.repository import OrderRepository
from clearing.ordering.orders.requests import MemberRequest
from clearing.ordering.orders.resolution import Draft, Resolver, Sides, drawn
from clearing.parties.access.service import Scope
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireRequest(MemberRequest):
    """Points whose day has come, of a program of yours. The member may be one whom you do not know, or nobody any more."""

    kind = Kind.EXPIRE

    member: MemberOrAddress
    program: ProgramName

    @property
    def is_alone(self) -> bool:
        """It takes points out of the holds that were made for this."""
        return True


class Expire(InstructionKind[ExpireRequest]):
    """Burns expired points, and no others."""

    kind = Kind.EXPIRE
    noun = "expiration"
    collection = "expirations"
    id_prefix = "exp"
    scope = Scope.EXPIRE
    summary = "Burns points of a program of yours whose day has come, no more than have expired."
    request = ExpireRequest

    def resolve(self, resolver: Resolver, request: ExpireRequest, at: Pointer) -> Draft:
        """Burns the member's points."""
        program = resolver.own_program(request, request.program, at)
        member = resolver.member_of_network(request, at)
        instruction = resolver.instruction(request, member, program)
        return Draft(request, at, member, instruction, Sides(giver=resolver.merchant.number), drawn(instruction))

    def admit(
        self, session: Session, availability: AvailabilityService, drafts: Sequence[Draft]
    ) -> Mapping[AccountKey, int]:
        """Refuses to burn points before their day, and takes those that it burns out of the holds that were made for this."""
        accounts = {draft.account for draft in drafts}
        left = availability.due.burnable(accounts, taking_back=OrderRepository(session).taking_back(accounts))
        holds = HoldRepository(session).expiry_holds(accounts)
        burning: dict[AccountKey, int] = defaultdict(int)
        for draft in drafts:
            points, expired = draft.instruction.points, left.get(draft.account, 0)
            if points > expired:
                detail = f"{expired} points have expired and are not burnt yet, not {points}"
                raise Refused.at(draft.at("points"), detail, code="not_expired")
            left[draft.account] = expired - points
            burning[draft.account] += points
            if draft.account in holds:
                _take_from(session, holds[draft.account], points)
        session.flush()
        return burning


def _take_from(session: Session, hold: Hold, points: int) -> None:
    hold.points = max(hold.points - points, 0)
    if hold.points == 0:
        hold.state = HoldState.CAPTURED
        hold.ended_at = clock_of(session).now()
