"""Members and their accounts as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.ledger.availability.accounts import Holder
from clearing.ledger.availability.service import Availability
from clearing.ordering.erasure.service import Erasure
from clearing.oversight.closings.service import ClosingDay
from clearing.parties.members.models import Member
from clearing.parties.members.service import DescribedMember, MemberService
from gateway.api.closings import closing_of
from gateway.api.members.schemas import (
    AccountView,
    ClosingAccountView,
    ErasureView,
    ForfeitView,
    FreezeView,
    MemberView,
)
from gateway.http.context import Call


def member_view(call: Call, member: Member) -> MemberView:
    """A member, with the caller's own numbers for the customer."""
    return member_views(call, [member])[0]


def member_views(call: Call, members: Sequence[Member]) -> list[MemberView]:
    """Members, with what the caller knows of them looked up for all at once."""
    return [described_view(call, found) for found in MemberService(call.session).described(call.viewer, members)]


def described_view(call: Call, found: DescribedMember) -> MemberView:
    """A member whose numbers, freezes and merges were looked up."""
    return MemberView(
        id=found.member.id,
        external_id=next(iter(found.external_ids), None),
        external_ids=list(found.external_ids),
        address=found.member.address,
        state="frozen" if found.freezes else "active",
        freezes=[
            FreezeView(
                merchant=call.names.merchant(freeze.merchant_number),
                reason=freeze.reason,
                created_at=freeze.created_at,
            )
            for freeze in found.freezes
        ],
        merged=list(found.merged),
        created_at=found.member.created_at,
    )


def erasure_view(call: Call, erasure: Erasure) -> ErasureView:
    """What was erased."""
    return ErasureView(
        member=erasure.member_id,
        complete=erasure.is_complete,
        forfeited=[
            ForfeitView(program=call.names.program(program), points=points)
            for program, points in erasure.forfeited.items()
        ],
    )


def account_view(call: Call, holder: Holder, program: int, balance: Availability) -> AccountView:
    """A member's balance in a program. What holds have set aside and points whose day has come count as reserved."""
    return AccountView(
        member=holder.member_id,
        program=call.names.program(program),
        posted=balance.posted,
        reserved=balance.taken,
        available=balance.available,
    )


def closing_account_view(
    call: Call, closing: ClosingDay, holder: Holder, program: int, points: int
) -> ClosingAccountView:
    """A member's balance in a program at the end of a day."""
    return ClosingAccountView(
        **closing_of(call, closing), member=holder.member_id, program=call.names.program(program), posted=points
    )
