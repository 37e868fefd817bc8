"""Terminations: one merchant signs that an agreement ends at a moment, and the chain moves the end closer."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.chain.calls.models import ON_ITS_WAY, Call
from clearing.chain.calls.repository import CallRepository
from clearing.chain.calls.service import request_call
from clearing.kit.clock import clock_of
from clearing.kit.errors import Conflict, InvalidRequest, Refused
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.parties.agreements.description import Naming
from clearing.parties.agreements.events import record_agreement
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.repository import REGISTERED, AgreementRepository
from clearing.parties.agreements.signatures import TypedHash, signature_of
from clearing.parties.agreements.visibility import locked_for_party
from clearing.parties.merchants.models import Merchant
from tongdui.encoding import hex_of
from tongdui.orders import full_signature, termination_struct_hash

FUNCTION = "terminateAgreement"
"""Of the contract. Anyone may send it; the operator's key does."""


class TerminationService:
    """Terminations in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: ManagedKeys, names: Naming) -> None:
        self._session = session
        self._domain = network.domain
        self._keyring = keyring
        self._names = names
        self._clock = clock_of(session)
        self._agreements = AgreementRepository(session)

    def terminate(
        self,
        merchant: Merchant,
        agreement_id: str,
        effective_at: int | None,
        signature: bytes | None,
        actor: str,
        *,
        reason: str | None = None,
    ) -> Agreement:
        """Lets an agreement end at Unix time `effective_at`: now, if that is missing or past.

        From here on nobody uses the agreement beyond that moment (`usable_until`), although the chain has yet to confirm it.
        """
        agreement = locked_for_party(self._agreements, merchant, agreement_id)
        number = _number_on_chain(agreement)
        now = self._clock.unix()
        signed_end = now if effective_at is None else effective_at
        end = max(signed_end, now)
        _refuse_without_effect(agreement, end, now)
        if agreement.terminates_at is not None and agreement.terminates_at <= end:
            return agreement  # an end that is at least as early is on its way
        made = self._signature(merchant, number, signed_end, signature)
        arguments = [number, signed_end, merchant.number, hex_of(full_signature(made))]
        request_call(self._session, "operator", FUNCTION, arguments, agreement.id)
        agreement.terminates_at = end
        self._session.flush()
        record_agreement(self._session, self._names, "termination_requested", agreement, actor, reason)
        return agreement

    def _signature(self, merchant: Merchant, number: int, effective_at: int, given: bytes | None) -> bytes:
        typed = TypedHash(self._domain, termination_struct_hash(number, effective_at))
        made = signature_of(self._session, self._keyring, merchant.number, typed, given)
        if made is None:
            moment = instant(effective_at).isoformat().replace("+00:00", "Z")
            raise InvalidRequest.at(
                "/signature",
                f"sign the digest {hex_of(typed.digest)} (Termination of agreement {number} at {effective_at}) with one of your "
                f'keys, and send the signature with "effective_at": "{moment}"; the gateway keeps no key for you',
                code="signature_required",
            )
        return made


def pending_end(session: Session, agreement_id: str) -> int | None:
    """Unix seconds: the earliest end for which a termination is on its way to the chain; None where none is."""
    calls = CallRepository(session).of_subject(agreement_id, FUNCTION)
    return min((_end_of(call) for call in calls if call.state in ON_ITS_WAY), default=None)


def _end_of(call: Call) -> int:
    """Unix seconds: the end that was signed, or the moment of the request if that was later."""
    return max(int(call.arguments[1]), int(call.created_at.timestamp()))


def _number_on_chain(agreement: Agreement) -> int:
    """The agreement's number, which the signature covers. Before its registration it may still change."""
    if agreement.state in REGISTERED:
        assert agreement.number is not None, agreement.id
        return agreement.number
    instead = {
        AgreementState.PROPOSED: "withdraw the proposal instead",
        AgreementState.ACCEPTED: "wait until the chain has registered it",
    }
    advice = instead.get(agreement.state, "there is nothing to end")
    raise Conflict(f"the agreement is {agreement.state}, not on the chain: {advice}", code="agreement_not_registered")


def _refuse_without_effect(agreement: Agreement, end: int, now: int) -> None:
    """Refuses an end that is not before the present one. The contract would take it and change nothing."""
    if agreement.ends_at <= now:
        raise Conflict(f"the agreement has ended at {instant(agreement.ends_at).isoformat()}", code="agreement_ended")
    if end >= agreement.ends_at:
        detail = f"the agreement ends at {instant(agreement.ends_at).isoformat()} already; a termination can only move that closer"
        raise Refused.at("/effective_at", detail, code="agreement_ends_earlier")
