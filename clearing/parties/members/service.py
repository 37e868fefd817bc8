"""Rules of members: which merchant knows whom, and how a second merchant gets to know a member."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, NotFound, Refused
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.one_time_codes import hash_of, new_code
from clearing.kit.viewer import Viewer
from clearing.parties.members.models import LinkCode, Member
from clearing.parties.members.repository import LinkCodeRepository, MemberRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import merchant_by_number, require_participating
from tongdui.encoding import keccak256

LINK_CODE_LIFETIME = timedelta(minutes=10)


class MemberService:
    """Members in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._members = MemberRepository(session)
        self._codes = LinkCodeRepository(session)
        self._events = EventRecorder(session)

    def register(
        self, merchant: Merchant, *, external_id: str, link_code: str | None, actor: str
    ) -> tuple[Member, bool]:
        """The member that the merchant knows by `external_id`, and whether the merchant knows it only from now on.

        A link code names a member that another merchant knows already.
        """
        require_participating(merchant)
        known = self._members.by_external_id(merchant.number, external_id)
        if known is not None and link_code is None:
            return known, False
        member = self._linked(link_code) if link_code is not None else known or self._new()
        if known is not None:
            return self._same(known, member), False
        if not self._members.link(merchant.number, external_id, member.id):
            return self._lost_race(merchant, external_id, member, is_new=link_code is None), False
        self._events.record("member.registered", member.id, actor=actor, merchants=[merchant.number], data={})
        return member, True

    def create_link_code(self, merchant: Merchant, reference: str, actor: str) -> tuple[str, datetime]:
        """A code with which another merchant can register this member, once, within ten minutes; and when it expires."""
        member = require_member(self._session, merchant, reference)
        code = new_code(4, 4, 4)
        expires_at = clock_of(self._session).now() + LINK_CODE_LIFETIME
        self._codes.add(LinkCode(code_hash=hash_of(code), member_id=member.id, expires_at=expires_at))
        self._events.record("member.link_code_created", member.id, actor=actor, merchants=[merchant.number], data={})
        return code, expires_at

    def visible(self, viewer: Viewer, reference: str) -> Member:
        """The member that the viewer means, or NotFound. A merchant sees those that it knows; the others see anyone, by id."""
        if viewer.merchant_number is not None:
            merchant = merchant_by_number(self._session, viewer.merchant_number)
            return require_member(self._session, merchant, reference)
        member = self._members.by_id(reference)
        if member is None:
            raise NotFound(f"there is no member {reference}")
        return member

    def visible_of(self, viewer: Viewer, ids: Collection[str]) -> Sequence[tuple[Member, str | None]]:
        """Those of these members that the viewer may see, each with the external id by which the viewer knows it."""
        if viewer.merchant_number is None:
            return [(member, None) for member in self._members.by_ids(ids)]
        known = self._members.known_of(viewer.merchant_number, ids)
        return [(member, known[member.id]) for member in self._members.by_ids(known)]

    def external_id(self, viewer: Viewer, member: Member) -> str | None:
        """The external id by which the viewer knows the member; None if the viewer is no merchant."""
        if viewer.merchant_number is None:
            return None
        return self._members.external_id(viewer.merchant_number, member.id)

    def _new(self) -> Member:
        secret = secrets.token_bytes(32)
        member = Member(id=new_id("mem"), secret=secret, address=address_of(secret))
        self._members.add(member)
        return member

    def _linked(self, link_code: str) -> Member:
        member_id = self._codes.use(hash_of(link_code), clock_of(self._session).now())
        member = self._members.by_id(member_id) if member_id else None
        if member is None:
            raise Refused.at(
                "/link_code",
                "this code is unknown, used, or older than ten minutes; ask the member for a new one",
                code="link_code_invalid",
            )
        return member

    def _lost_race(self, merchant: Merchant, external_id: str, member: Member, *, is_new: bool) -> Member:
        """Another request has just registered this external id: the member that it registered."""
        winner = self._members.by_external_id(merchant.number, external_id)
        if winner is None:
            raise NotFound(f"there is no member {external_id}", code="unknown_member")
        if not is_new:
            return self._same(winner, member)
        self._members.remove(member)
        return winner

    @staticmethod
    def _same(known: Member, member: Member) -> Member:
        if known.id != member.id:
            raise Conflict.at(
                "/external_id",
                "you already know another member by this id; choose another id",
                code="external_id_taken",
            )
        return known


def require_member(session: Session, merchant: Merchant, reference: str, pointer: str | None = None) -> Member:
    """The member that the merchant means, or NotFound. `pointer` says where in the body the request named it."""
    member = MemberRepository(session).resolve(merchant.number, reference)
    if member is None:
        detail = f"merchant {merchant.name} knows no member {reference}; register it with POST /v1/members"
        raise NotFound.of("member", detail, pointer)
    return member


def address_of(secret: bytes) -> str:
    """A member's address on the chain: the last 20 bytes of its secret's hash."""
    return "0x" + keccak256(secret)[-20:].hex()
