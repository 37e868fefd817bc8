"""The round of merges: empties the addresses of merged members, as soon and as often as there are points.

It looks at what is there, not at what was asked of it: running twice, late or after a crash does no harm. Points may come back to
an old address long after its merge, when an old movement is reversed; then the round moves them, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.errors import ClearingError
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.rollbacks import transact
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.viewer import Viewer
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.availability.service import AvailabilityService
from clearing.ordering.merges.models import Merge, MergeAccount, MergeState
from clearing.ordering.merges.repository import MergeRepository
from clearing.ordering.merges.service import MergePlan, MergeService, PlannedAccount
from clearing.ordering.orders.service import OrderService
from clearing.parties.codes.repository import MemberCodeRepository
from clearing.parties.members.models import Member
from clearing.parties.members.repository import MemberRepository
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.repository import MerchantRepository

log = structlog.get_logger(__name__)

ACTOR = "worker"
_EVERYTHING = Viewer()
_YOUNG = timedelta(hours=1)
"""So long after its confirmation a merge is looked at often."""


class MergeRound:
    """Signs the transfers of merchants whose keys the gateway keeps, and tells the others what they have to sign."""

    def __init__(self, database: Database, settings: Settings, keyring: ManagedKeys) -> None:
        self._database = database
        self._settings = settings
        self._keyring = keyring
        self._network = NetworkIdentity.of(settings)

    def run(self) -> int:
        """One round over young merges whose points still move: these should be quick. Returns how many it looked at."""
        with self._database.reading() as session:
            young = MergeRepository(session).moving(since=clock_of(session).now() - _YOUNG)
        return self._advance(young)

    def run_late(self) -> int:
        """The same over all others: those that wait for a merchant, and those to whose old addresses points have come back."""
        with self._database.reading() as session:
            merges = MergeRepository(session)
            late = sorted({*merges.moving(), *merges.refilled()})
        return self._advance(late)

    def _advance(self, merges: Sequence[str]) -> int:
        for merge_id in merges:
            for merchant in transact(self._database, partial(self._take_stock, merge_id=merge_id)):
                transact(self._database, partial(self._move, merge_id=merge_id, merchant_number=merchant))
        return len(merges)

    def _take_stock(self, session: Session, merge_id: str) -> Iterable[int]:
        """Notes what there is to move, and whether that is all done; the merchants that have something to sign."""
        merges, members = MergeRepository(session), MemberRepository(session)
        merge = merges.lock(merge_id)
        old, new = members.itself(merge.member_id), members.by_id(merge.into_id)
        if old is None or new is None:  # erased, with whatever points they had
            merge.state = MergeState.DONE
            return ()
        merges.note_accounts(merge.id, old.address)
        MemberCodeRepository(session).lock_of([old.id])
        AccountRepository(session).lock(merges.keys(old.address))
        merges.move_history(old.id, new.id)
        is_empty = merges.is_empty(old)
        if is_empty and merge.state is MergeState.MOVING:
            self._finish(session, merge, old)
        elif not is_empty:
            merge.state, merge.done_at = MergeState.MOVING, None
        return () if is_empty else self._with_work(session, merges.accounts(merge.id))

    @staticmethod
    def _with_work(session: Session, accounts: Sequence[MergeAccount]) -> Sequence[int]:
        """The merchants for whom the gateway signs, or that were not told yet what they have to sign."""
        merchants, at = merchants_in(session), clock_of(session).unix()
        return sorted(
            {
                account.merchant_number
                for account in accounts
                if account.announced <= account.transfers
                or merchants.managed_key(account.merchant_number, at) is not None
            }
        )

    @staticmethod
    def _finish(session: Session, merge: Merge, old: Member) -> None:
        merge.state, merge.done_at = MergeState.DONE, clock_of(session).now()
        signers = [account.merchant_number for account in MergeRepository(session).accounts(merge.id)]
        EventRecorder(session).record(
            "member.merge_done",
            old.id,
            actor=ACTOR,
            merchants=[merge.merchant_number, *signers],
            data={"merge": merge.id, "member": old.id, "into": merge.into_id},
        )

    def _move(self, session: Session, merge_id: str, merchant_number: int) -> None:
        # As for every order: lock the merchant, who counts the nonces and the transfers, then the accounts.
        merchant = MerchantRepository(session).lock(merchant_number)
        merge = MergeRepository(session).by_id(merge_id)
        assert merge is not None, "merges are never deleted"
        service = MergeService(session, network=self._network)
        plan = service.plan(_EVERYTHING, merge)
        mine = [planned for planned in plan.accounts if planned.account.merchant_number == merchant_number]
        AvailabilityService(session, network=self._network).lock(
            [(plan.address or "", planned.account.program) for planned in mine]
        )
        orders = OrderService(session, network=self._network, keyring=self._keyring, settings=self._settings)
        for due in service.plan(_EVERYTHING, merge).accounts:  # once more, now that nobody can change it
            if due.account.merchant_number != merchant_number or due.balance.available <= 0:
                continue
            if not due.is_managed:
                self._announce(session, plan, due)
                continue
            try:
                with session.begin_nested():
                    service.transfer(merchant, plan, due, due.balance.available, orders, actor=ACTOR)
            except ClearingError as error:
                # The program is paused, the merchant suspended or the queue full: the next round tries again.
                log.warning(
                    "points of a merged member not moved yet", merge=merge.id, code=error.code, detail=error.detail
                )

    @staticmethod
    def _announce(session: Session, plan: MergePlan, due: PlannedAccount) -> None:
        """Tells a merchant once what it has to sign."""
        number = due.account.transfers + 1
        if due.account.announced >= number:
            return
        due.account.announced = number
        EventRecorder(session).record(
            "member.merge_due",
            plan.merge.member_id,
            actor=ACTOR,
            merchants=[due.account.merchant_number],
            data={
                "merge": plan.merge.id,
                "member": plan.merge.member_id,
                "into": plan.merge.into_id,
                "points": due.balance.available,
                "reference": due.reference,
            },
        )
