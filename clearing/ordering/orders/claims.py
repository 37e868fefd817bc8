"""Claiming a member: a merchant that has received a member's points may know the member from then on."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.members.models import Member
from clearing.parties.members.service import MemberService, unknown_member
from clearing.parties.merchants.models import Merchant


class ClaimService:
    """Claims in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, merchant: Merchant, *, external_id: str, member_id: str, actor: str) -> tuple[Member, bool]:
        """The member with this id, and whether the merchant knows it only from now on.

        Without a settled movement between the two, the refusal does not tell whether there is such a member.
        """
        if not OrderRepository(self._session).has_settled_with(merchant.number, member_id):
            raise unknown_member(member_id)
        members = MemberService(self._session)
        return members.claim(merchant, external_id=external_id, member_id=member_id, actor=actor)
