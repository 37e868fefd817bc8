"""Privileged calls that a person asks for: put into the signer's queue, or noted where somebody sends them past it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from clearing.chain.calls.models import ON_ITS_WAY, Call, CallState
from clearing.chain.calls.repository import CallRepository
from clearing.chain.calls.service import request_call
from clearing.kit.events.changes import changed_from
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.locks import lock_until_commit
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.oversight.calls.call import MerchantRequest, NetworkRequest, PrivilegedCall, Termination
from clearing.parties.agreements.events import record_agreement
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.termination import TerminationService
from clearing.parties.merchants.service import require_merchant
from clearing.parties.names import Names
from clearing.pipeline.repository import TransactionRepository
from tongdui.encoding import hex_of

QUEUED_ROLE = "operator"
"""Whose calls a signer takes from the queue: others are signed where they are asked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a call in the queue."""

    state: CallState
    error: str | None
    tx_hash: str | None
    block_number: int | None


class PrivilegedCallService:
    """Privileged calls in one transaction, asked for by one actor."""

    def __init__(self, session: Session, *, network: NetworkIdentity, actor: str) -> None:
        self._session = session
        self._network = network
        self._actor = actor
        self._calls = CallRepository(session)

    def request(self, call: PrivilegedCall, reason: str) -> int:
        """Puts the call into the queue, and records who asked for it; its id there. If it is on its way already, that is its id,
        and nothing is recorded."""
        lock_until_commit(self._session, "privileged calls")  # two commands at once must not both find nothing
        found = self.on_its_way(call)
        if found is None and isinstance(call.event, Termination):
            self._terminate(call.event, reason)
            found = self.on_its_way(call)
            assert found is not None, "it was asked for a moment ago"
        elif found is None:
            found = request_call(self._session, QUEUED_ROLE, call.function, call.arguments, call.subject)
            self._record(call, {"reason": reason})
        return found.id

    def _terminate(self, signed: Termination, reason: str) -> None:
        """From here on the agreement is not used beyond that end, although the chain has yet to confirm it."""
        names = Names(self._session)
        keyring = ManagedKeys.none()  # it has the signature, so it makes none
        service = TerminationService(self._session, network=self._network, keyring=keyring, names=names)
        merchant = require_merchant(self._session, signed.merchant)
        service.terminate(merchant, signed.agreement, signed.effective_at, signed.signature, self._actor, reason=reason)

    def note(self, call: PrivilegedCall, reason: str, *, sender: str, tx_hash: bytes | None = None) -> None:
        """Records that somebody is about to send the call with a key of `sender`."""
        signed = {"transaction": hex_of(tx_hash)} if tx_hash is not None else {}
        self._record(call, {"reason": reason, "sender": sender.lower(), **signed})

    def on_its_way(self, call: PrivilegedCall) -> Call | None:
        """The newest call to the same effect that is neither done nor refused."""
        return max((one for one in self._waiting(call) if _has_effect(one, call)), key=lambda one: one.id, default=None)

    def another_on_its_way(self, call: PrivilegedCall) -> bool:
        """Whether a call to another effect on the same is on its way: what the contract says now will change."""
        return any(not _has_effect(one, call) for one in self._waiting(call))

    def _waiting(self, call: PrivilegedCall) -> list[Call]:
        return [one for one in self._calls.of_subject(call.subject, call.function) if one.state in ON_ITS_WAY]

    def outcome(self, call_id: int) -> Outcome:
        """What has become of a call in the queue."""
        call = self._calls.get_one(call_id)
        carrier = (
            TransactionRepository(self._session).by_id(call.transaction_id) if call.transaction_id is not None else None
        )
        return Outcome(
            call.state,
            call.error,
            hex_of(carrier.hash) if carrier is not None else None,
            carrier.block_number if carrier is not None else None,
        )

    def _record(self, call: PrivilegedCall, more: dict[str, Any]) -> None:
        recorder = EventRecorder(self._session)
        data = {**changed_from(call.before, call.after), **more}
        event = call.event
        if isinstance(event, NetworkRequest):
            recorder.record(event, call.subject, actor=self._actor, data=data)
        elif isinstance(event, MerchantRequest):
            assert call.merchant is not None, "the merchant is told"
            request = event
            recorder.record(request, call.subject, actor=self._actor, merchants=[call.merchant], data=data)
        else:
            agreement = AgreementRepository(self._session).by_id(event.agreement)
            assert agreement is not None, event.agreement
            names = Names(self._session)
            record_agreement(self._session, names, "termination_requested", agreement, self._actor, more["reason"])


def _has_effect(queued: Call, call: PrivilegedCall) -> bool:
    """Whether a call in the queue has the effect of this one: it is the same, or ends an agreement at least as early."""
    if isinstance(call.event, Termination):
        return int(queued.arguments[1]) <= call.event.effective_at
    return queued.arguments == call.arguments
