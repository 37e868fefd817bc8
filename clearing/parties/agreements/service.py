"""Agreements: a merchant proposes terms, both sides sign them, and then they go to the chain.

The rules that terms must keep are in `terms`, the ban on profitable cycles in `cycles`, the signatures that count in `signatures`,
the way to an early end in `termination`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit.clock import clock_of
from clearing.kit.errors import ClearingError, Conflict, InvalidRequest, Refused
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.ids import new_id
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.viewer import Viewer
from clearing.parties.agreements.cycles import check_cycles
from clearing.parties.agreements.description import Naming
from clearing.parties.agreements.events import record_agreement
from clearing.parties.agreements.models import Agreement, AgreementKind, AgreementState
from clearing.parties.agreements.repository import AgreementFilter, AgreementRepository
from clearing.parties.agreements.signatures import TypedHash, check_signature, signature_of
from clearing.parties.agreements.terms import (
    MIN_REMAINING_SECONDS,
    Proposal,
    check_terms,
    contract_tuple,
    require_party,
    terms_of,
)
from clearing.parties.agreements.visibility import locked_for_party, visible_agreement
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.service import require_merchant
from clearing.parties.programs.service import require_program
from tongdui.encoding import hex_of
from tongdui.orders import AgreementTerms, full_signature


class AgreementService:
    """Agreements in one transaction."""

    def __init__(
        self, session: Session, *, network: NetworkIdentity, keyring: ManagedKeys, names: Naming, minimum_fee_bps: int
    ) -> None:
        self._session = session
        self._domain = network.domain
        self._keyring = keyring
        self._names = names
        self._minimum_fee_bps = minimum_fee_bps
        self._clock = clock_of(session)
        self._agreements = AgreementRepository(session)

    def propose(self, merchant: Merchant, proposal: Proposal, actor: str) -> Agreement:
        """Stores the proposed terms, with the proposer's signature if it came along or a managed key can make it."""
        terms = terms_of(self._session, proposal)
        require_party(merchant, terms)
        self._check(terms)
        agreement = self._stored(merchant, terms)
        signature = self._signature(merchant, agreement, proposal.signature)
        if signature is not None:
            self._add_signature(merchant, agreement, signature)
        self._record("proposed", agreement, actor)
        self._accept_if_signed(agreement, actor)
        return agreement

    def sign(self, merchant: Merchant, agreement_id: str, signature: bytes | None, actor: str) -> Agreement:
        """Adds the merchant's signature. The second side's signature accepts the agreement and sends it to the chain."""
        self._agreements.hold_numbers()
        agreement = self._open_proposal(merchant, agreement_id)
        self._refuse_late_signature(agreement)
        made = self._signature(merchant, agreement, signature)
        if made is None:
            raise InvalidRequest.at(
                "/signature",
                f"sign the digest {hex_of(agreement.digest)} with one of your keys; the gateway keeps none for you",
                code="signature_required",
            )
        if self._add_signature(merchant, agreement, made):
            self._record("signed", agreement, actor)
        self._accept_if_signed(agreement, actor)
        return agreement

    def withdraw(self, merchant: Merchant, agreement_id: str, actor: str) -> Agreement:
        """Ends a proposal that is not accepted yet: its proposer withdraws it, the other side declines it."""
        agreement = self._open_proposal(merchant, agreement_id)
        is_own = agreement.proposer == merchant.number
        agreement.state = AgreementState.WITHDRAWN if is_own else AgreementState.DECLINED
        self._session.flush()
        self._record(agreement.state, agreement, actor)
        return agreement

    def list(
        self,
        viewer: Viewer,
        *,
        state: AgreementState | None = None,
        kind: AgreementKind | None = None,
        program: str | None = None,
        counterparty: str | None = None,
        after: str | None,
        limit: int,
    ) -> Sequence[Agreement]:
        """The agreements that the viewer may see, newest first; those in a state, of a kind, with a program, with a merchant."""
        other = require_merchant(self._session, counterparty).number if counterparty is not None else None
        wanted = AgreementFilter(
            at=self._clock.unix(),
            parties=tuple(number for number in (viewer.merchant_number, other) if number is not None),
            kind=kind,
            program=require_program(self._session, program).number if program is not None else None,
            state=state,
        )
        return self._agreements.list(wanted, after=after, limit=limit)

    def visible(self, viewer: Viewer, agreement_id: str) -> Agreement:
        """The agreement with this id, or NotFound if the viewer is not one of its parties."""
        return visible_agreement(self._session, viewer, agreement_id)

    def visible_of(self, viewer: Viewer, agreement_ids: Collection[str]) -> Sequence[Agreement]:
        """Those of these agreements that the viewer may see."""
        found = self._agreements.by_ids(agreement_ids)
        return [a for a in found if viewer.sees(a.source_merchant, a.target_merchant)]

    def _signature(self, merchant: Merchant, agreement: Agreement, given: bytes | None) -> bytes | None:
        terms = AgreementTerms(**{name: getattr(agreement, name) for name in AgreementTerms.__dataclass_fields__})
        typed = TypedHash(self._domain, terms.struct_hash())
        assert typed.digest == agreement.digest, agreement.id
        return signature_of(self._session, self._keyring, merchant.number, typed, given)

    # ---------------------------------------------------------------- proposals

    def _stored(self, merchant: Merchant, terms: AgreementTerms) -> Agreement:
        digest = terms.digest(self._domain)
        if self._agreements.by_digest(digest) is not None:
            raise _proposed_before()
        values = {name: getattr(terms, name) for name in AgreementTerms.__dataclass_fields__}
        agreement = Agreement(
            id=new_id("agr"), digest=digest, proposer=merchant.number, ends_at=terms.valid_until, **values
        )
        try:
            self._agreements.add(agreement)
        except IntegrityError as error:
            raise _proposed_before() from error  # somebody else stored them since we looked
        return agreement

    def _open_proposal(self, merchant: Merchant, agreement_id: str) -> Agreement:
        """The merchant's proposal with this id, locked, if it can still be signed or withdrawn."""
        agreement = locked_for_party(self._agreements, merchant, agreement_id)
        if agreement.state is not AgreementState.PROPOSED:
            raise Conflict(f"the agreement is already {agreement.state}", code="agreement_not_proposed")
        return agreement

    def _refuse_late_signature(self, agreement: Agreement) -> None:
        """Refuses a signature so close to `accept_by` that the chain might see the terms too late."""
        if 0 < agreement.accept_by <= self._clock.unix() + MIN_REMAINING_SECONDS:
            raise Refused(
                f"signatures had to be there a minute before {instant(agreement.accept_by).isoformat()} (accept_by); "
                "propose the terms again, with a later accept_by",
                code="accept_by_passed",
            )

    def _add_signature(self, merchant: Merchant, agreement: Agreement, signature: bytes) -> bool:
        """Stores a merchant's signature. False if its side has signed before."""
        before = (agreement.source_signature is None, agreement.target_signature is None)
        if merchant.number == agreement.source_merchant:
            agreement.source_signature = signature
        if merchant.number == agreement.target_merchant:
            agreement.target_signature = signature
        self._session.flush()
        return before != (agreement.source_signature is None, agreement.target_signature is None)

    # ---------------------------------------------------------------- accepting

    def _check(self, terms: AgreementTerms) -> None:
        check_terms(self._session, terms, minimum_fee_bps=self._minimum_fee_bps)
        check_cycles(self._session, terms)

    def _accept_if_signed(self, agreement: Agreement, actor: str) -> None:
        if agreement.source_signature is not None and agreement.target_signature is not None:
            self._accept(agreement, agreement.source_signature, agreement.target_signature, actor)

    def _accept(self, agreement: Agreement, source: bytes, target: bytes, actor: str) -> None:
        """Numbers the agreement and sends it to the chain. Checks everything again: days may have passed since the proposal."""
        self._agreements.hold_numbers()
        self._check(agreement.terms)
        check_signature(self._session, agreement.source_merchant, agreement.digest, source)
        check_signature(self._session, agreement.target_merchant, agreement.digest, target)
        agreement.number = self._agreements.next_number()
        agreement.state = AgreementState.ACCEPTED
        self._session.flush()
        arguments = [
            agreement.number,
            contract_tuple(agreement.terms),
            hex_of(full_signature(source)),
            hex_of(full_signature(target)),
        ]
        request_call(self._session, "operator", "registerAgreement", arguments, agreement.id)
        self._record("accepted", agreement, actor)

    def _record(self, action: str, agreement: Agreement, actor: str) -> None:
        record_agreement(self._session, self._names, action, agreement, actor)


def _proposed_before() -> ClearingError:
    return Conflict("exactly these terms were proposed before; give them another document to make them distinct")
