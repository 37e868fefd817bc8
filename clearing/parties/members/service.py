"""Rules of members: which merchant knows whom, and how a second merchant gets to know a member."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import ClearingError, Conflict, FieldError, InvalidRequest, NotFound, Refused
from clearing.kit.events.recorder import EventRecorder, NewEvent
from clearing.kit.ids import new_id
from clearing.kit.one_time_codes import hash_of, new_code
from clearing.kit.viewer import Viewer
from clearing.parties.members.models import LinkCode, LinkOrigin, Member, MemberFreeze
from clearing.parties.members.repository import (
    NETWORK,
    FreezeRepository,
    LinkCodeRepository,
    MemberFilter,
    MemberPage,
    MemberRepository,
)
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import merchant_by_number, require_participating
from tongdui.encoding import keccak256

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
LINK_CODE_LIFETIME = timedelta(minutes=10)
MOST_EXTERNAL_IDS = 50
"""External ids that a merchant may give one member."""


@dataclass(frozen=True, slots=True)
class DescribedMember:
    """A member as one viewer knows it."""

    member: Member
    external_ids: Sequence[str]
    """The viewer's own numbers for the member, oldest first."""
    merged: Sequence[str]
    """Ids of members that were merged into this one, and lead to it."""
    freezes: Sequence[MemberFreeze]
    """Those that the viewer may see: the network's and its own; all, if the viewer is no merchant."""


class MemberService:
    """Members in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._members = MemberRepository(session)
        self._codes = LinkCodeRepository(session)
        self._events = EventRecorder(session)

    def register(
        self, merchant: Merchant, *, external_id: str, link_code: str | None, actor: str, reissue: bool = False
    ) -> tuple[Member, bool]:
        """The member that the merchant knows by `external_id`, and whether the merchant knows it only from now on.

        A link code names a member that another merchant knows already. `reissue` gives out an external id that was retired.
        """
        require_participating(merchant)
        known = self._members.by_external_id(merchant.number, external_id)
        if known is not None and link_code is None:
            return known, False
        if known is None:
            self._refuse_retired(merchant, external_id, reissue=reissue)
        member = self._linked(link_code) if link_code is not None else known or self._new()
        if known is not None:
            return self._same(known, member), False
        if not self._members.link(merchant.number, external_id, member.id):
            return self._lost_race(merchant, external_id, member, is_new=link_code is None), False
        self._record("registered", member, merchant, actor)
        return member, True

    def register_all(self, merchant: Merchant, external_ids: Sequence[str], actor: str) -> Sequence[Member]:
        """The members that the merchant knows by these external ids, in their order; those that it did not know are registered.

        It takes a few statements, however many there are. All of it happens, or none.
        """
        require_participating(merchant)
        known = self._members.by_external_ids(merchant.number, external_ids)
        new = [external_id for external_id in dict.fromkeys(external_ids) if external_id not in known]
        if new:
            self._refuse_retired_among(merchant, external_ids, new)
            made = self._members.add_all([_fresh() for _ in new], new, merchant.number)
            known |= self._members.by_external_ids(merchant.number, new)
            if len(known) < len({*external_ids}):
                detail = "a member was erased just now; ask for it once more"
                raise NotFound(detail, code="unknown_member")
            events = [NewEvent("member.registered", member_id, merchant.number, {}) for member_id in made.values()]
            self._events.record_all(events, actor=actor)
        return [known[external_id] for external_id in external_ids]

    def _refuse_retired_among(self, merchant: Merchant, external_ids: Sequence[str], new: Collection[str]) -> None:
        retired = self._members.retired_of(merchant.number, new)
        errors = [
            FieldError(f"/external_ids/{place}", f"{external_id} was retired")
            for place, external_id in enumerate(external_ids)
            if external_id in retired
        ]
        if errors:
            detail = (
                f"{len(retired)} of these ids were retired, perhaps because cards were lost: leave them out, or give each out "
                "again with POST /v1/members and `reissue: true`"
            )
            raise Conflict(detail, code="external_id_retired", errors=tuple(errors))

    def claim(self, merchant: Merchant, *, external_id: str, member_id: str, actor: str) -> tuple[Member, bool]:
        """Gives a member whose points the merchant has received an external id of the merchant's. The caller has checked that
        it has received some."""
        require_participating(merchant)
        member = self._members.by_id(member_id)
        if member is None:
            raise unknown_member(member_id)
        known = self._members.external_ids(merchant.number, [member.id]).get(member.id, [])
        if external_id in known:
            return member, False
        if known:
            raise Conflict.at(
                "/member",
                f"you know this member already, as {known[0]}; add an id with POST /v1/members/{member.id}/external_ids",
                code="member_known",
            )
        self._refuse_retired(merchant, external_id, reissue=False)
        if not self._members.link(merchant.number, external_id, member.id, LinkOrigin.CLAIMED):
            raise _taken()
        self._record("claimed", member, merchant, actor)
        return member, True

    # ---------------------------------------------------------------- external ids

    def add_external_id(
        self, merchant: Merchant, reference: str, external_id: str, actor: str, *, reissue: bool
    ) -> Member:
        """Gives the member a further external id: a second card. Adding it twice is harmless."""
        require_participating(merchant)
        member = require_member(self._session, merchant, reference)
        links = self._members.links(member.id, merchant.number)
        if external_id in [link.external_id for link in links]:
            return member
        if len(links) >= MOST_EXTERNAL_IDS:
            detail = f"a member has at most {MOST_EXTERNAL_IDS} external ids; retire some"
            raise Refused.at("/external_id", detail, code="too_many_external_ids")
        self._refuse_retired(merchant, external_id, reissue=reissue)
        origin = (
            LinkOrigin.CLAIMED if all(link.origin is LinkOrigin.CLAIMED for link in links) else LinkOrigin.REGISTERED
        )
        if not self._members.link(merchant.number, external_id, member.id, origin):
            raise _taken()
        self._record("external_id_added", member, merchant, actor)
        return member

    def retire_external_id(self, merchant: Merchant, reference: str, external_id: str, actor: str) -> Member:
        """Lets an external id lead to the member no more: a lost card. The last one stays, or nobody would find the member."""
        member = require_member(self._session, merchant, reference)
        self._members.lock(member.id)  # of two that retire the last two at the same moment, one is refused
        links = {link.external_id: link for link in self._members.links(member.id, merchant.number)}
        link = links.get(external_id)
        if link is None:
            raise NotFound(f"the member has no external id {external_id} of yours")
        if len(links) == 1:
            raise Refused(
                "this is the member's only external id of yours: add the new one first, or erase the member",
                code="last_external_id",
            )
        self._members.retire(link)
        self._record("external_id_retired", member, merchant, actor)
        return member

    def _refuse_retired(self, merchant: Merchant, external_id: str, *, reissue: bool) -> None:
        if not reissue and self._members.is_retired(merchant.number, external_id):
            raise Conflict.at(
                "/external_id",
                "this id was retired, perhaps because a card was lost; send `reissue: true` to give it out again",
                code="external_id_retired",
            )

    # ---------------------------------------------------------------- link codes

    def create_link_code(self, merchant: Merchant, reference: str, actor: str) -> tuple[str, datetime]:
        """A code with which another merchant can register this member, once, within ten minutes; and when it expires."""
        member = require_member(self._session, merchant, reference)
        code = new_code(4, 4, 4)
        expires_at = clock_of(self._session).now() + LINK_CODE_LIFETIME
        self._codes.add(LinkCode(code_hash=hash_of(code), member_id=member.id, expires_at=expires_at))
        self._record("link_code_created", member, merchant, actor)
        return code, expires_at

    # ---------------------------------------------------------------- looking members up

    def visible(self, viewer: Viewer, reference: str) -> Member:
        """The member that the viewer means, or NotFound. A merchant sees those that it knows; the others see anyone, by id or by
        the address on the chain."""
        if viewer.merchant_number is not None:
            merchant = merchant_by_number(self._session, viewer.merchant_number)
            return require_member(self._session, merchant, reference)
        found = self._members.by_addresses([reference.lower()]) if is_address(reference) else {}
        owner = found.get(reference.lower())
        member = self._members.by_id(reference if owner is None else owner.id)
        if member is None:
            raise NotFound(f"there is no member {reference}")
        return member

    def known_as(self, merchant: Merchant, names: Sequence[str]) -> Sequence[Member]:
        """The members that the merchant knows by these names, each once, in the order of the names."""
        known = self._members.resolve_all((merchant.number, name) for name in names)
        addresses = dict.fromkeys(
            known[merchant.number, name].address for name in names if (merchant.number, name) in known
        )
        members = self._members.by_addresses(addresses)
        return [members[address] for address in addresses if address in members]

    def visible_of(self, viewer: Viewer, ids: Collection[str]) -> Sequence[DescribedMember]:
        """Those of these members that the viewer may see, as it knows them."""
        found = self.described(viewer, self._members.by_ids(ids))
        return found if viewer.merchant_number is None else [one for one in found if one.external_ids]

    def list(
        self,
        viewer: Viewer,
        *,
        external_id: str | None = None,
        prefix: str | None = None,
        address: str | None = None,
        frozen: bool | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        after: str | None = None,
        limit: int,
    ) -> MemberPage:
        """The members that the viewer may see, newest first; with a prefix, in the order of their numbers. Only merchants have
        external ids to look for, and only the others may look for an address."""
        wanted = MemberFilter(external_id, prefix, address, frozen, created_from, created_before)
        if viewer.merchant_number is not None:
            if wanted.address is not None:
                raise InvalidRequest.of_parameter("address", "only the operator and auditors may look for addresses")
            return self._members.list(viewer.merchant_number, wanted, after=after, limit=limit)
        if wanted.external_id is not None or wanted.prefix is not None:
            name = "q" if wanted.external_id is None else "external_id"
            raise InvalidRequest.of_parameter(name, "external ids are merchants' own; look for an address")
        return self._members.list_all(wanted, after=after, limit=limit)

    def described(self, viewer: Viewer, members: Collection[Member]) -> Sequence[DescribedMember]:
        """The members as the viewer knows them."""
        ids = [member.id for member in members]
        number = viewer.merchant_number
        external_ids = {} if number is None else self._members.external_ids(number, ids)
        merged = self._members.merged_into(ids)
        barred = [member.id for member in members if member.barred]
        seen_by = None if number is None else (NETWORK, number)
        freezes = FreezeRepository(self._session).of(barred, seen_by) if barred else {}
        return [
            DescribedMember(
                member, external_ids.get(member.id, ()), merged.get(member.id, ()), freezes.get(member.id, ())
            )
            for member in members
        ]

    def _new(self) -> Member:
        member = _fresh()
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
            raise _taken()
        return known

    def _record(self, action: str, member: Member, merchant: Merchant, actor: str) -> None:
        self._events.record(f"member.{action}", member.id, actor=actor, merchants=[merchant.number], data={})


def require_member(session: Session, merchant: Merchant, reference: str, pointer: str | None = None) -> Member:
    """The member that the merchant means, or NotFound. `pointer` says where in the body the request named it."""
    member = MemberRepository(session).resolve(merchant.number, reference)
    if member is None:
        detail = f"merchant {merchant.name} knows no member {reference}; register it with POST /v1/members"
        raise NotFound.of("member", detail, pointer)
    return member


def unknown_member(member_id: str) -> ClearingError:
    """The refusal of a member that does not exist, or that the caller may not know of."""
    return NotFound.at(
        "/member", f"there is no member {member_id} whose points you have received", code="unknown_member"
    )


def is_address(name: str) -> bool:
    """Whether a member is named as the chain knows it: by its address."""
    return _ADDRESS.fullmatch(name) is not None


def address_of(secret: bytes) -> str:
    """A member's address on the chain: the last 20 bytes of its secret's hash."""
    return "0x" + keccak256(secret)[-20:].hex()


def _fresh() -> Member:
    """A member that nobody has yet."""
    secret = secrets.token_bytes(32)
    return Member(id=new_id("mem"), secret=secret, address=address_of(secret))


def _taken() -> ClearingError:
    return Conflict.at(
        "/external_id", "you already know another member by this id; choose another id", code="external_id_taken"
    )
