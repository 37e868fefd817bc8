"""Customers as the network's members: who shall be known there, and who shall be forgotten. A sender tells the network."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from loyalty.network.member_repository import MemberRepository
from loyalty.network.models import Member, MemberState

EXTERNAL: Final = "external:"


class MemberService:
    """Members in one transaction."""

    def __init__(self, session: Session) -> None:
        self._members = MemberRepository(session)

    def register(self, customer: str) -> None:
        """Has the network know a customer, before any points are sent to it."""
        self._members.add(Member(id=customer))

    def erase(self, customer: str) -> None:
        """Has the network forget a customer's number."""
        member = self._members.get(customer)
        if member is not None and member.state is not MemberState.GONE:
            member.state = MemberState.LEAVING


def as_member(customer: str) -> str:
    """How a wish names a customer."""
    return EXTERNAL + customer
