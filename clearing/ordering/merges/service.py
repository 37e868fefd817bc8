"""Rules of merges (docs/decisions/0026-a-merge-moves-the-id-first.md).

From its confirmation on, everything that leads to the old member leads to the new one, and nothing is taken from the old address
except to empty it. The points follow by transfers, each signed by its program's merchant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, Forbidden, NotFound, Refused
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.viewer import Viewer
from clearing.ledger.availability.service import Availability, AvailabilityService
from clearing.ordering.merges.models import Merge, MergeAccount, MergeState
from clearing.ordering.merges.repository import MergeRepository
from clearing.ordering.orders.events import Accepted
from clearing.ordering.orders.kinds.transfer import TransferRequest
from clearing.ordering.orders.requests import Authorization
from clearing.ordering.orders.service import OrderService
from clearing.parties.agreements.visibility import Visibility
from clearing.parties.codes.repository import MemberCodeRepository
from clearing.parties.members.models import LinkOrigin, Member
from clearing.parties.members.repository import FreezeRepository, MemberRepository
from clearing.parties.members.service import require_member
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_participating
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import require_program


@dataclass(frozen=True, slots=True)
class PlannedAccount:
    """What a merge does with one account of the member that ends."""

    account: MergeAccount
    balance: Availability
    is_managed: bool
    """Whether the gateway signs for the program's merchant."""
    reference: str
    """Of the next transfer."""


@dataclass(frozen=True, slots=True)
class MergePlan:
    """A merge, and what is left to do of it, as one viewer may see it. The addresses are None after an erasure."""

    merge: Merge
    address: str | None
    into_address: str | None
    accounts: Sequence[PlannedAccount]


class MergeService:
    """Merges in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)
        self._merges = MergeRepository(session)
        self._members = MemberRepository(session)

    # ---------------------------------------------------------------- the merchant that merges

    def propose(self, merchant: Merchant, member: str, into: str, actor: str) -> Merge:
        """A merge of two members that the merchant has registered. Nothing moves before it is confirmed."""
        require_participating(merchant)
        old = require_member(self._session, merchant, member, "/member")
        new = require_member(self._session, merchant, into, "/into")
        self._require_mergeable(merchant, old, new)
        merge = Merge(id=new_id("mrg"), merchant_number=merchant.number, member_id=old.id, into_id=new.id)
        self._merges.add(merge)
        self._merges.note_accounts(merge.id, old.address)
        self._record("merge_proposed", merge, actor)
        return merge

    def confirm(self, merchant: Merchant, merge_id: str, actor: str) -> Merge:
        """Begins the merge, for good. Confirming twice is harmless."""
        require_participating(merchant)
        merge = self._mine(merchant, merge_id)
        if merge.state in (MergeState.MOVING, MergeState.DONE):
            return merge
        if merge.state is not MergeState.PROPOSED:
            raise Conflict(f"the merge is {merge.state}; propose a new one", code="merge_ended")
        old, new = self._locked(merchant, merge)
        self._require_mergeable(merchant, old, new)
        concerned = {link.merchant_number for one in (old, new) for link in self._members.links(one.id)}
        self._members.merge(old, new)
        self._merges.note_accounts(merge.id, old.address)
        self._merges.move_history(old.id, new.id)
        merge.state = MergeState.MOVING
        merge.confirmed_at = self._clock.now()
        self._session.flush()
        self._record("merged", merge, actor, *concerned)
        return merge

    def cancel(self, merchant: Merchant, merge_id: str, actor: str) -> Merge:
        """Withdraws a proposal. Cancelling twice is harmless; a confirmed merge cannot be cancelled."""
        merge = self._mine(merchant, merge_id)
        if merge.state is MergeState.CANCELLED:
            return merge
        if merge.state is not MergeState.PROPOSED:
            raise Conflict("the merge is confirmed, and a merge cannot be undone", code="merge_ended")
        merge.state = MergeState.CANCELLED
        self._record("merge_cancelled", merge, actor)
        return merge

    def _mine(self, merchant: Merchant, merge_id: str) -> Merge:
        merge = self._merges.by_id(merge_id)
        if merge is None or merge.merchant_number != merchant.number:
            raise NotFound(f"there is no merge {merge_id} of yours")
        return self._merges.lock(merge_id)

    def _locked(self, merchant: Merchant, merge: Merge) -> tuple[Member, Member]:
        """Both members, locked: the codes and the accounts first, as every order does. Whoever drew on them before is seen by the
        checks; whoever draws on them later finds the member merged."""
        old = require_member(self._session, merchant, merge.member_id)
        new = require_member(self._session, merchant, merge.into_id)
        MemberCodeRepository(self._session).lock_of([old.id])
        AvailabilityService(self._session, network=self._network).lock(self._merges.keys(old.address))
        locked = self._members.lock(old.id, new.id)
        if old.id != new.id and (len(locked) < 2 or any(member.merged_into is not None for member in locked)):
            raise Conflict(
                "one of the members was merged or erased just now; propose the merge anew", code="merge_ended"
            )
        return old, new

    def _require_mergeable(self, merchant: Merchant, old: Member, new: Member) -> None:
        if old.id == new.id:
            raise Refused.at(
                "/into", "both names lead to the same member: there is nothing to merge", code="same_member"
            )
        for member in (old, new):
            links = self._members.links(member.id, merchant.number)
            if all(link.origin is LinkOrigin.CLAIMED for link in links):
                detail = f"you have only claimed {member.id}; a merchant that registered it, or has its link code, may merge it"
                raise Forbidden(detail, code="member_only_claimed")
        if FreezeRepository(self._session).of([old.id, new.id]):
            detail = "a frozen member cannot be merged: whoever froze it has to unfreeze it first"
            raise Refused(detail, code="member_frozen")
        if self._merges.has_open_holds(old.address):
            detail = "there are holds on the member's points: capture or release them first, or wait until they lapse"
            raise Conflict(detail, code="holds_open")

    # ---------------------------------------------------------------- the merchants that sign

    def sign(
        self,
        merchant: Merchant,
        merge_id: str,
        *,
        program: str,
        points: int,
        reference: str,
        ref: str | None,
        orders: OrderService,
        authorization: Authorization | None,
        actor: str,
    ) -> Accepted:
        """The transfer that empties the old address in a program of the merchant's: an order like any other."""
        orders.reserve_nonces(merchant, 0)  # locks the merchant before the account, as every order does
        plan = self.plan(Viewer(merchant.number), self.visible(Viewer(merchant.number), merge_id))
        found = require_program(self._session, program, "/program")
        if found.merchant_number != merchant.number:
            detail = f"{found.code} belongs to another merchant, which signs for it"
            raise Forbidden.at("/program", detail, code="not_program_merchant")
        due = next((planned for planned in plan.accounts if planned.account.program == found.number), None)
        if plan.merge.state is not MergeState.MOVING or due is None or due.reference != reference:
            detail = "this is not the transfer that is due now; look at the merge again"
            raise Conflict.at("/reference", detail, code="merge_changed")
        return self.transfer(merchant, plan, due, points, orders, ref=ref, authorization=authorization, actor=actor)

    def transfer(
        self,
        merchant: Merchant,
        plan: MergePlan,
        due: PlannedAccount,
        points: int,
        orders: OrderService,
        *,
        ref: str | None = None,
        authorization: Authorization | None = None,
        actor: str,
    ) -> Accepted:
        """Accepts the next transfer of an account. The caller has locked the merchant, and so everybody else who counts them."""
        assert plan.address is not None, "only members that exist have accounts to empty"
        assert plan.into_address is not None, "a merged member is erased with the one that it became part of"
        request = TransferRequest(
            member=plan.address,
            recipient=plan.into_address,
            program=ProgramRepository(self._session).get_one(due.account.program).code,
            points=points,
            reference=due.reference,
            ref=ref,
        )
        order = orders.accept(merchant, [request], authorization=authorization, actor=actor)
        due.account.transfers += 1
        self._session.flush()
        return order

    # ---------------------------------------------------------------- looking at merges

    def list(
        self, viewer: Viewer, *, state: MergeState | None, member: str | None, after: str | None, limit: int
    ) -> Sequence[Merge]:
        """The merges that the viewer proposed or signs transfers of, newest first; all, if it is no merchant."""
        return self._merges.list(
            merchant=viewer.merchant_number, state=state, member_id=member, after=after, limit=limit
        )

    def visible(self, viewer: Viewer, merge_id: str) -> Merge:
        """The merge with this id, or NotFound where it does not concern the viewer."""
        merge = self._merges.by_id(merge_id)
        signers = [account.merchant_number for account in self._merges.accounts(merge_id)] if merge else []
        if merge is None or not viewer.sees(merge.merchant_number, *signers):
            raise NotFound(f"there is no merge {merge_id}")
        return merge

    def plan(self, viewer: Viewer, merge: Merge) -> MergePlan:
        """What the merge would move, or has left to move: in programs that the viewer deals with."""
        old, new = self._members.itself(merge.member_id), self._members.by_id(merge.into_id)
        if old is None or new is None:
            return MergePlan(merge, None, None, ())
        shown = [account for account in self._merges.accounts(merge.id) if self._sees(viewer, merge, account)]
        keys = [(old.address, account.program) for account in shown]
        balances = AvailabilityService(self._session, network=self._network).of(keys)
        merchants, at = merchants_in(self._session), self._clock.unix()
        planned = [
            PlannedAccount(
                account,
                balances[key],
                is_managed=merchants.managed_key(account.merchant_number, at) is not None,
                reference=f"merge:{merge.id}:{account.program}:{account.transfers + 1}",
            )
            for account, key in zip(shown, keys, strict=True)
        ]
        return MergePlan(merge, old.address, new.address, planned)

    def _sees(self, viewer: Viewer, merge: Merge, account: MergeAccount) -> bool:
        if viewer.sees(account.merchant_number) or viewer.merchant_number is None:
            return True
        if viewer.merchant_number != merge.merchant_number:
            return False
        return account.program in Visibility(self._session, viewer.merchant_number).programs()

    def _record(self, action: str, merge: Merge, actor: str, *others: int) -> None:
        signers = [account.merchant_number for account in self._merges.accounts(merge.id)]
        EventRecorder(self._session).record(
            f"member.{action}",
            merge.member_id,
            actor=actor,
            merchants=[merge.merchant_number, *signers, *others],
            data={"merge": merge.id, "member": merge.member_id, "into": merge.into_id},
        )
