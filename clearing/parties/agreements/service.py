"""Agreements: a merchant proposes terms, both sides sign them, and then they go to the chain.

The rules that terms must keep are in `terms`, the ban on profitable cycles in `cycles`, the signatures that count in `signatures`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit.errors import ClearingError, Conflict, Forbidden, InvalidRequest, NotFound
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.kit.viewer import Viewer
from clearing.parties.agreements.cycles import check_cycles
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.signatures import check_signature, signature_of
from clearing.parties.agreements.terms import Proposal, check_terms, contract_tuple, terms_of
from clearing.parties.merchants.models import Merchant
from tongdui.encoding import hex_of
from tongdui.orders import AgreementTerms, full_signature


class AgreementService:
    """Agreements in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: Keyring) -> None:
        self._session = session
        self._domain = network.domain
        self._keyring = keyring
        self._agreements = AgreementRepository(session)

    def propose(self, merchant: Merchant, proposal: Proposal, actor: str) -> Agreement:
        """Stores the proposed terms, with the proposer's signature if it came along or a managed key can make it."""
        terms = terms_of(self._session, proposal)
        if merchant.number not in (terms.source_merchant, terms.target_merchant):
            raise Forbidden("a merchant can only propose agreements of its own", code="forbidden")
        self._check(terms)
        digest = terms.digest(self._domain)
        if self._agreements.by_digest(digest) is not None:
            raise _proposed_before()
        values = {name: getattr(terms, name) for name in AgreementTerms.__dataclass_fields__}
        agreement = Agreement(id=new_id("agr"), digest=digest, ends_at=terms.valid_until, **values)
        try:
            self._agreements.add(agreement)
        except IntegrityError as error:
            raise _proposed_before() from error  # somebody else stored them since we looked
        self._record("agreement.proposed", agreement, actor)
        signature = signature_of(self._session, self._keyring, merchant.number, digest, proposal.signature)
        if signature is not None:
            self._add_signature(merchant, agreement, signature, actor)
        return agreement

    def sign(self, merchant: Merchant, agreement_id: str, signature: bytes | None, actor: str) -> Agreement:
        """Adds the merchant's signature. The second side's signature accepts the agreement and sends it to the chain."""
        self._agreements.hold_numbers()
        agreement = self._agreements.lock(agreement_id)
        if agreement is None or merchant.number not in (agreement.source_merchant, agreement.target_merchant):
            raise NotFound(f"there is no agreement {agreement_id}", code="unknown_agreement")
        if agreement.state is not AgreementState.PROPOSED:
            raise Conflict(f"the agreement is already {agreement.state}", code="agreement_not_proposed")
        made = signature_of(self._session, self._keyring, merchant.number, agreement.digest, signature)
        if made is None:
            raise InvalidRequest.at(
                "/signature",
                f"sign the digest {hex_of(agreement.digest)} with one of your keys; the gateway keeps none for you",
                code="signature_required",
            )
        self._add_signature(merchant, agreement, made, actor)
        return agreement

    def list(self, viewer: Viewer, *, after: str | None, limit: int) -> Sequence[Agreement]:
        """The agreements that the viewer may see, newest first."""
        return self._agreements.list(merchant_number=viewer.merchant_number, after=after, limit=limit)

    def visible(self, viewer: Viewer, agreement_id: str) -> Agreement:
        """The agreement with this id, or NotFound if the viewer is not one of its parties."""
        agreement = self._agreements.by_id(agreement_id)
        if agreement is None or not viewer.sees(agreement.source_merchant, agreement.target_merchant):
            raise NotFound(f"there is no agreement {agreement_id}", code="unknown_agreement")
        return agreement

    # ---------------------------------------------------------------- accepting

    def _check(self, terms: AgreementTerms) -> None:
        check_terms(self._session, terms)
        check_cycles(self._session, terms)

    def _add_signature(self, merchant: Merchant, agreement: Agreement, signature: bytes, actor: str) -> None:
        if merchant.number == agreement.source_merchant:
            agreement.source_signature = signature
        if merchant.number == agreement.target_merchant:
            agreement.target_signature = signature
        self._session.flush()
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
        self._record("agreement.accepted", agreement, actor)

    def _record(self, type: str, agreement: Agreement, actor: str) -> None:  # noqa: A002
        EventRecorder(self._session).record(
            type,
            agreement.id,
            actor=actor,
            merchants=[agreement.source_merchant, agreement.target_merchant],
            data={"agreement": agreement.id, "state": agreement.state or AgreementState.PROPOSED},
        )


def _proposed_before() -> ClearingError:
    return Conflict("exactly these terms were proposed before; give them another document to make them distinct")
