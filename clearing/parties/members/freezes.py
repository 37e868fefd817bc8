"""Rules of freezes, and the one check whether points of a member may be taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.errors import Pointer, Refused, Unavailable
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.viewer import Viewer
from clearing.parties.members.models import Member, MemberFreeze
from clearing.parties.members.repository import NETWORK, FreezeRepository, MemberRepository
from clearing.parties.members.service import MemberService
from clearing.parties.merchants.models import Merchant


class Taking(NamedTuple):
    """Points that somebody wants to take. A tuple, because an order has hundreds of them."""

    address: str
    """Whose points."""
    giver: int | None
    """The merchant whose program they belong to."""
    at: Pointer
    recipient: str | None = None
    """The address to which a transfer takes them."""


class FreezeService:
    """Freezes in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._freezes = FreezeRepository(session)
        self._members = MemberRepository(session)

    def freeze(self, viewer: Viewer, reference: str, reason: str, actor: str) -> Member:
        """From now on nobody takes this member's points: at the merchant's till and of its programs; nowhere, if the
        operator says so. Freezing twice is harmless; the first reason stays."""
        member = self._locked(viewer, reference)
        if self._freezes.freeze(member, _freezer(viewer), reason):
            self._record("member.frozen", viewer, member, actor)
        return member

    def unfreeze(self, viewer: Viewer, reference: str, actor: str) -> Member:
        """Takes the freeze back. Other freezes stay."""
        member = self._locked(viewer, reference)
        if self._freezes.unfreeze(member, _freezer(viewer)):
            self._record("member.unfrozen", viewer, member, actor)
        return member

    def _locked(self, viewer: Viewer, reference: str) -> Member:
        member = MemberService(self._session).visible(viewer, reference)
        locked = self._members.lock(member.id)
        if not locked or locked[0].merged_into is not None:
            raise Unavailable("the member was merged or erased just now; send the request again", code="member_merged")
        return locked[0]

    def _record(self, type: str, viewer: Viewer, member: Member, actor: str) -> None:  # noqa: A002
        by_network = viewer.merchant_number is None
        everybody = {link.merchant_number for link in self._members.links(member.id)}
        EventRecorder(self._session).record(
            type,
            member.id,
            actor=actor,
            merchants=everybody if by_network else [_freezer(viewer)],
            data={"member": member.id, "by": "network" if by_network else "merchant"},
        )


class Bars:
    """Who may not lose points: members that are frozen, and members that were merged into others."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._barred: dict[str, Member] = {}
        self._freezes: Mapping[str, Sequence[MemberFreeze]] = {}

    def read(self, addresses: Collection[str]) -> None:
        """Looks these members up, in one statement for all. Lock their accounts first: a merge locks them too, and whoever comes
        after it finds the member merged."""
        if addresses:
            self._barred = {member.address: member for member in MemberRepository(self._session).barred(addresses)}
        if self._barred:
            self._freezes = FreezeRepository(self._session).of([member.id for member in self._barred.values()])

    @property
    def is_empty(self) -> bool:
        """Whether none of the members that were looked up is barred."""
        return not self._barred

    def require_takeable(self, merchant_number: int, taking: Taking) -> None:
        """Refuses to take points of a member that is frozen for this merchant, for the points' own, or for the whole network.

        And of a merged member, except for the transfer to the member that it became part of.
        """
        member = self._barred.get(taking.address)
        if member is None or _leads_home(self._session, member, taking.recipient):
            return
        _require_not_merged(member)
        merchants = (NETWORK, merchant_number, taking.giver)
        _require_no_freeze(self._freezes.get(member.id, ()), merchants, taking.at("member"))


def require_takeable(session: Session, merchant_number: int, taking: Taking) -> None:
    """The same for one taking. Lock the account first."""
    bars = Bars(session)
    bars.read({taking.address})
    bars.require_takeable(merchant_number, taking)


def require_not_frozen(session: Session, member: Member, merchant: Merchant, pointer: str) -> None:
    """Refuses a member that is frozen for this merchant or for the whole network. `pointer` says what named it."""
    if member.barred:
        freezes = FreezeRepository(session).of([member.id]).get(member.id, ())
        _require_no_freeze(freezes, (NETWORK, merchant.number), pointer)


def _leads_home(session: Session, member: Member, recipient: str | None) -> bool:
    """Whether this is the transfer that empties a merged member's account."""
    if member.merged_into is None or recipient is None:
        return False
    home = MemberRepository(session).by_id(member.id)
    return home is not None and home.address == recipient


def _require_not_merged(member: Member) -> None:
    if member.merged_into is not None:
        raise Unavailable("the member was merged into another just now; send the request again", code="member_merged")


def _require_no_freeze(freezes: Collection[MemberFreeze], merchants: Collection[int | None], pointer: str) -> None:
    for freeze in freezes:
        if freeze.merchant_number in merchants:
            who = "the network's operator" if freeze.merchant_number == NETWORK else "a merchant"
            detail = f"{who} has frozen this member: its points cannot be taken until it is unfrozen"
            raise Refused.at(pointer, detail, code="member_frozen")


def _freezer(viewer: Viewer) -> int:
    return NETWORK if viewer.merchant_number is None else viewer.merchant_number
