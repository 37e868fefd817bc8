"""Members and their accounts as the API shows them."""

from __future__ import annotations

from clearing.ledger.availability.service import Availability
from clearing.parties.members.models import Member
from gateway.api.members.schemas import AccountView, MemberView
from gateway.http.context import Call


def member_view(member: Member, external_id: str | None) -> MemberView:
    """A member, with the caller's own number for the customer."""
    return MemberView(id=member.id, external_id=external_id, address=member.address, created_at=member.created_at)


def account_view(call: Call, member: Member, program: int, balance: Availability) -> AccountView:
    """A member's balance in a program. What holds have set aside and points whose day has come count as reserved."""
    return AccountView(
        member=member.id,
        program=call.names.program(program),
        posted=balance.posted,
        reserved=balance.taken,
        available=balance.available,
    )
