"""Rules of erasure (docs/decisions/0026-a-merge-moves-the-id-first.md).

A merchant forgets a member: its own numbers for the customer, and what it was told. When the last merchant does, or the operator
for all, the member's secret is gone, and with it every way from a person to the chain's pseudonym.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.availability.service import AvailabilityService
from clearing.ordering.erasure.redaction import Names, redacted
from clearing.ordering.erasure.repository import ErasureRepository
from clearing.ordering.merges.repository import MergeRepository
from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.access.service import principal_of
from clearing.parties.agreements.visibility import Visibility
from clearing.parties.codes.repository import MemberCodeRepository
from clearing.parties.members.models import Member
from clearing.parties.members.repository import MemberRepository
from clearing.parties.members.service import MemberService
from clearing.parties.programs.repository import ProgramRepository


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased. `is_complete` if nobody in the network knows the member any more; then `forfeited` has the points, by
    program, that the member gave up, as far as the viewer may see them."""

    member_id: str
    is_complete: bool
    forfeited: Mapping[int, int]


class ErasureService:
    """Erasures in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._erasures = ErasureRepository(session)

    def erase(self, viewer: Viewer, reference: str, *, forfeit_points: bool, actor: str) -> Erasure:
        """Forgets the member for the viewer's merchant, and altogether if nobody else knows it or the operator says so."""
        member = MemberService(self._session).visible(viewer, reference)
        ids = self._erasures.ids(member.id)
        MergeRepository(self._session).lock_of(ids)
        MemberCodeRepository(self._session).lock_of(ids)
        # As in a merge: the accounts first, then the member. Whoever moved its points before is seen by the checks below.
        AvailabilityService(self._session, network=self._network).lock(
            (account.address, account.program)
            for address in self._erasures.addresses(member.id)
            for account in AccountRepository(self._session).of_member(address)
        )
        members = self._erasures.lock_all(member.id)
        knowing = {link.merchant_number for link in MemberRepository(self._session).links(member.id)}
        if viewer.merchant_number is not None and knowing - {viewer.merchant_number}:
            return self._forget_for(viewer.merchant_number, member, members, actor)
        return self._forget(viewer, member, members, knowing, forfeit_points=forfeit_points, actor=actor)

    def _forget_for(self, merchant_number: int, member: Member, members: Sequence[Member], actor: str) -> Erasure:
        """One merchant forgets the member, whom others still know."""
        self._refuse_unfinished(members, merchant_number)
        self._redact(members, self._erasures.external_ids(_ids(members), merchant_number), only=merchant_number)
        self._erasures.forget_metadata(_ids(members), merchant_number)
        self._erasures.forget_links(member.id, merchant_number)
        self._record(member.id, [merchant_number], actor)
        return Erasure(member.id, is_complete=False, forfeited={})

    def _forget(
        self,
        viewer: Viewer,
        member: Member,
        members: Sequence[Member],
        knowing: Iterable[int],
        *,
        forfeit_points: bool,
        actor: str,
    ) -> Erasure:
        """Nobody knows the member any more."""
        self._refuse_unfinished(members, None)
        points = self._erasures.points([one.address for one in members])
        shown = self._seen(viewer, points)
        if points and not forfeit_points:
            raise Conflict.at("/forfeit_points", self._left(shown), code="points_left")
        member_id = member.id
        self._redact(members, self._erasures.external_ids(_ids(members)), only=None)
        self._erasures.forget(members)
        self._record(member_id, knowing, actor)
        return Erasure(member_id, is_complete=True, forfeited=shown)

    def _refuse_unfinished(self, members: Sequence[Member], merchant_number: int | None) -> None:
        if self._erasures.has_open_holds(_ids(members), clock_of(self._session).now(), merchant_number):
            detail = "there are holds on the member's points: capture or release them first, or wait until they lapse"
            raise Conflict(detail, code="holds_open")
        if OrderRepository(self._session).has_open_with(_ids(members), merchant_number):
            detail = "movements of the member wait for the chain: wait until they are settled"
            raise Conflict(detail, code="orders_pending")

    # ---------------------------------------------------------------- points

    def _seen(self, viewer: Viewer, points: Mapping[int, int]) -> Mapping[int, int]:
        if viewer.merchant_number is None:
            return points
        programs = Visibility(self._session, viewer.merchant_number).programs()
        return {program: some for program, some in points.items() if program in programs}

    def _left(self, points: Mapping[int, int]) -> str:
        programs = ProgramRepository(self._session)
        listed = ", ".join(f"{some} {programs.get_one(program).code}" for program, some in points.items())
        what = f" ({listed})" if listed else " of other merchants"
        return f"the member still has points{what}, which nobody could use any more; send `forfeit_points: true` to give them up"

    # ---------------------------------------------------------------- what was written down

    def _redact(self, members: Sequence[Member], external_ids: Mapping[int, set[str]], *, only: int | None) -> None:
        """Takes the member's names out of events and stored answers: everybody's, or one merchant's."""
        unique = frozenset(name for one in members for name in (one.id, one.address))
        everywhere = Names(unique)
        by_number = {number: Names(unique, frozenset(own)) for number, own in external_ids.items()}
        for event in self._erasures.events(everywhere, by_number, only):
            # What happened to the member itself keeps no details: the id of a movement would lead to the address.
            names = by_number.get(event.merchant_number or 0, everywhere)
            event.data = {} if event.subject in unique else redacted(event.data, names)
        by_principal = {principal_of(number): names for number, names in by_number.items()}
        own = principal_of(only) if only is not None else None
        for answer in self._erasures.answers(everywhere, by_principal, own):
            document = redacted(json.loads(answer.body), by_principal.get(answer.principal, everywhere))
            answer.body = json.dumps(document, ensure_ascii=False)
        self._session.flush()

    def _record(self, member_id: str, merchants: Iterable[int], actor: str) -> None:
        """The events that stay say that there was a member, and name nobody."""
        EventRecorder(self._session).record(
            "member.erased", member_id, actor=actor, merchants=merchants, data={"member": member_id}
        )


def _ids(members: Sequence[Member]) -> list[str]:
    return [member.id for member in members]
