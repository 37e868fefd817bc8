"""Rules of approvals: nobody moves money, raises credit or hands out power alone.

The maker asks, with a reason. Another person of the operator or the treasury, the checker, approves or declines; the maker may
withdraw; unapproved, it expires. Of two who decide at once, one does: the row is locked. The rules of the change are checked when
it is asked for and again when it takes effect, in the checker's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.config import Settings
from clearing.kit.errors import ClearingError, Conflict, Forbidden, NotFound
from clearing.kit.events.recorder import EventRecorder, recording_nothing
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.oversight.approvals.changes import CHANGES, Change, Effect, Surroundings
from clearing.oversight.approvals.models import Approval, ApprovalState, ChangeKind
from clearing.oversight.approvals.repository import ApprovalRepository
from clearing.parties.access.service import AccessService, Caller
from clearing.parties.merchants.service import require_merchant
from clearing.parties.staff.bearers import may_still

NOBODY = "worker"
"""The actor of what time does."""


class ApprovalService:
    """Approvals in one transaction."""

    def __init__(self, session: Session, *, keyring: Keyring, settings: Settings) -> None:
        self._session = session
        self._surroundings = Surroundings(session, keyring, settings)
        self._lifetime = timedelta(seconds=settings.approval_lifetime)
        self._clock = clock_of(session)
        self._approvals = ApprovalRepository(session)
        self._events = EventRecorder(session)

    # ---------------------------------------------------------------- ask

    def request(self, caller: Caller, change: Change, reason: str) -> Approval:
        """Asks for a change. Refuses one that could not take effect now, and one that is asked for already."""
        effect = self._rehearsed(change, caller.actor)
        self._free(change.claim)
        at = self._clock.now()
        approval = Approval(
            id=new_id("apr"),
            kind=change.kind,
            state=ApprovalState.REQUESTED,
            merchant_number=change.merchant_number(self._session),
            claim=change.claim,
            change=change.model_dump(mode="json"),
            before=dict(effect.before),
            after=dict(effect.after),
            reason=reason,
            maker=caller.actor,
            maker_role=caller.role,
            maker_identity=self.identity_of(caller),
            created_at=at,
            expires_at=at + self._lifetime,
        )
        try:
            with self._session.begin_nested():
                self._approvals.add(approval)
        except IntegrityError as error:
            raise _asked_already() from error
        self._record("requested", approval, caller.actor)
        return approval

    # ---------------------------------------------------------------- decide

    def approve(self, caller: Caller, approval_id: str) -> tuple[Approval, str | None]:
        """Lets the change take effect; with it comes what the checker hands over. Repeating it changes nothing."""
        approval = _found(self._approvals.lock(approval_id), approval_id)
        if approval.state is ApprovalState.APPROVED:
            return approval, None
        self._require_open(approval)
        self._require_other(caller, approval)
        if not may_still(self._session, approval.maker, approval.maker_role):
            detail = "whoever asked for it may not do so any more; decline it, and have somebody else ask"
            raise Conflict(detail, code="maker_gone")
        effect = change_of(approval).take_effect(self._surroundings, approval.maker)
        approval.before, approval.after, approval.result = dict(effect.before), dict(effect.after), effect.result
        self._decide(approval, ApprovalState.APPROVED, caller.actor)
        return approval, effect.link

    def decline(self, caller: Caller, approval_id: str, reason: str) -> Approval:
        """Refuses the change, and says why. Repeating it changes nothing."""
        approval = _found(self._approvals.lock(approval_id), approval_id)
        if approval.state is ApprovalState.DECLINED:
            return approval
        self._require_open(approval)
        self._require_other(caller, approval)
        approval.decision_reason = reason
        self._decide(approval, ApprovalState.DECLINED, caller.actor)
        return approval

    def withdraw(self, caller: Caller, approval_id: str) -> Approval:
        """Takes back what the caller has asked for. Repeating it changes nothing."""
        approval = _found(self._approvals.lock(approval_id), approval_id)
        if self.identity_of(caller) != approval.maker_identity:
            raise Forbidden("somebody else has asked for it; decline it instead", code="not_the_maker")
        if approval.state is ApprovalState.WITHDRAWN:
            return approval
        self._require_open(approval)
        self._decide(approval, ApprovalState.WITHDRAWN, caller.actor)
        return approval

    def expire(self, limit: int) -> int:
        """Notes of some approvals that their time is over; returns of how many."""
        overdue = self._approvals.lock_overdue(self._clock.now(), limit)
        for approval in overdue:
            self._decide(approval, ApprovalState.EXPIRED, NOBODY)
        return len(overdue)

    def any_overdue(self) -> bool:
        """Whether there is an approval whose time is over and of which that is not noted."""
        return self._approvals.any_overdue(self._clock.now())

    # ---------------------------------------------------------------- look

    def list(
        self,
        *,
        state: ApprovalState | None,
        kind: ChangeKind | None,
        merchant_id: str | None,
        after: str | None,
        limit: int,
    ) -> Sequence[Approval]:
        """Approvals, newest first."""
        number = None if merchant_id is None else require_merchant(self._session, merchant_id).number
        return self._approvals.list(
            self._clock.now(), state=state, kind=kind, merchant_number=number, after=after, limit=limit
        )

    def get(self, approval_id: str) -> Approval:
        """The approval with this id, or NotFound."""
        return _found(self._approvals.by_id(approval_id), approval_id)

    def state_of(self, approval: Approval) -> ApprovalState:
        """The approval's state now."""
        return _state_at(approval, self._clock.now())

    def identity_of(self, caller: Caller) -> str:
        """Who is calling, whatever key or session it does that with."""
        return AccessService(self._session).identity_of(caller.actor)

    # ---------------------------------------------------------------- rules

    def _rehearsed(self, change: Change, actor: str) -> Effect:
        """What the change would do now: it is done and undone."""
        with recording_nothing(self._session):
            attempt = self._session.begin_nested()
            try:
                return change.take_effect(self._surroundings, actor)
            finally:
                attempt.rollback()

    def _free(self, claim: str) -> None:
        """Refuses what is asked for already; of what nobody has decided in time it notes that."""
        holder = self._approvals.lock_claim(claim)
        if holder is None:
            return
        if self.state_of(holder) is ApprovalState.REQUESTED:
            raise _asked_already(holder.id)
        self._decide(holder, ApprovalState.EXPIRED, NOBODY)
        self._session.flush()

    def _require_open(self, approval: Approval) -> None:
        state = self.state_of(approval)
        if state is ApprovalState.EXPIRED:
            raise Conflict("nobody has approved it in time; ask for it again", code="approval_ended")
        if state is not ApprovalState.REQUESTED:
            raise Conflict(f"it is {state} already", code="approval_ended")

    def _require_other(self, caller: Caller, approval: Approval) -> None:
        if self.identity_of(caller) == approval.maker_identity:
            raise Forbidden(
                "you have asked for it yourself; another person has to decide", code="second_person_required"
            )

    def _decide(self, approval: Approval, state: ApprovalState, actor: str) -> None:
        approval.state, approval.decided_by, approval.decided_at = state, actor, self._clock.now()
        self._record(state, approval, actor)

    def _record(self, action: str, approval: Approval, actor: str) -> None:
        data = {
            "kind": approval.kind,
            "change": change_of(approval).recorded(),
            "before": approval.before,
            "after": approval.after,
            "reason": approval.reason,
            "maker": approval.maker,
            "result": approval.result,
        }
        if approval.decision_reason:
            data["decision_reason"] = approval.decision_reason
        self._events.record(f"approval.{action}", approval.id, actor=actor, data=data)


def change_of(approval: Approval) -> Change:
    """What an approval is about."""
    return CHANGES[approval.kind].model_validate(approval.change)


def _found(approval: Approval | None, approval_id: str) -> Approval:
    if approval is None:
        raise NotFound(f"there is no approval {approval_id}")
    return approval


def _state_at(approval: Approval, at: datetime) -> ApprovalState:
    is_overdue = approval.state is ApprovalState.REQUESTED and approval.expires_at <= at
    return ApprovalState.EXPIRED if is_overdue else approval.state


def _asked_already(holder: str | None = None) -> ClearingError:
    named = f" ({holder})" if holder else ""
    return Conflict(f"the same is asked for already{named}, and waits for approval", code="approval_pending")
