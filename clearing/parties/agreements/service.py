"""Rules of agreements. What the contract would refuse is refused here: it would block the numbers after it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit.clock import unix_now
from clearing.kit.errors import ClearingError, Conflict, FieldError, Forbidden, InvalidRequest, NotFound, Refused
from clearing.kit.events.service import tell_merchants
from clearing.kit.identity import NetworkIdentity
from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring
from clearing.kit.viewer import Viewer
from clearing.parties.agreements.cycles import Exchange, profitable_round
from clearing.parties.agreements.models import Agreement, AgreementKind, AgreementState, Initiator
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import require_participating
from clearing.parties.programs.models import Program
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import ProgramService
from tongdui.encoding import hex_of
from tongdui.orders import AgreementTerms, full_signature, recover_signer

MAX_GRACE = 7 * 86_400
MAX_TIME = 2**40 - 1
MAX_RATE = 2**32 - 1
MAX_POINTS = 2**64 - 1
MIN_REMAINING = 60
"""Seconds that terms must still be valid when both have signed: the chain has to see them before they end."""

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a merchant proposes. Programs by code or id, merchants and agreements by id; times are Unix seconds."""

    kind: AgreementKind
    source_program: str
    target_program: str | None
    target_merchant: str | None
    rate_num: int
    rate_den: int
    unit_price_micros: int
    fee_bps: int
    lifetime_days: int
    max_points: int
    daily_cap: int
    initiators: int
    valid_from: int | None
    valid_until: int
    supersedes: str | None
    grace_seconds: int
    document: bytes | None
    signature: bytes | None


class AgreementService:
    """Agreements in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, keyring: Keyring) -> None:
        self._session = session
        self._domain = network.domain
        self._keyring = keyring
        self._agreements = AgreementRepository(session)
        self._merchants = MerchantRepository(session)

    def propose(self, merchant: Merchant, proposal: Proposal, actor: str) -> Agreement:
        """Writes terms down, with the proposer's signature where it is there or can be made."""
        terms = self._terms(proposal)
        if merchant.number not in (terms.source_merchant, terms.target_merchant):
            raise Forbidden("a merchant can only propose agreements of its own", code="forbidden")
        self._check(terms)
        self._check_rounds(terms)
        digest = terms.digest(self._domain)
        if self._agreements.by_digest(digest) is not None:
            raise _proposed_before()
        values = {name: getattr(terms, name) for name in AgreementTerms.__dataclass_fields__}
        agreement = Agreement(id=new_id("agr"), digest=digest, ends_at=terms.valid_until, **values)
        try:
            self._agreements.add(agreement)
        except IntegrityError as error:
            raise _proposed_before() from error  # somebody else stored it since we looked
        self._tell("agreement.proposed", agreement, actor)
        signature = self._signature_of(merchant, agreement, proposal.signature)
        if signature is not None:
            self._add_signature(merchant, agreement, signature, actor)
        return agreement

    def sign(self, merchant: Merchant, agreement_id: str, signature: bytes | None, actor: str) -> Agreement:
        """Adds the merchant's signature; with the second one the agreement is accepted and goes to the chain."""
        self._agreements.hold_numbers()
        agreement = self._agreements.lock(agreement_id)
        if agreement is None or merchant.number not in (agreement.source_merchant, agreement.target_merchant):
            raise NotFound(f"there is no agreement {agreement_id}", code="unknown_agreement")
        if agreement.state is not AgreementState.PROPOSED:
            raise Conflict(f"the agreement is {agreement.state} already", code="agreement_not_proposed")
        made = self._signature_of(merchant, agreement, signature)
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
        """The agreement with this id, or NotFound where the viewer is not one of its parties."""
        agreement = self._agreements.by_id(agreement_id)
        if agreement is None or not viewer.sees(agreement.source_merchant, agreement.target_merchant):
            raise NotFound(f"there is no agreement {agreement_id}", code="unknown_agreement")
        return agreement

    # ---------------------------------------------------------------- terms

    def _terms(self, proposal: Proposal) -> AgreementTerms:
        programs = ProgramService(self._session)
        source = programs.existing(proposal.source_program, "/source_program")
        target, target_merchant = self._target(proposal, programs)
        return AgreementTerms(
            kind=int(proposal.kind),
            initiators=proposal.initiators,
            fee_bps=proposal.fee_bps,
            lifetime_days=proposal.lifetime_days,
            source_merchant=source.merchant_number,
            target_merchant=target_merchant,
            source_program=source.number,
            target_program=target.number if target else 0,
            valid_from=unix_now() if proposal.valid_from is None else proposal.valid_from,
            valid_until=proposal.valid_until,
            rate_num=proposal.rate_num,
            rate_den=proposal.rate_den,
            unit_price_micros=proposal.unit_price_micros,
            max_points=proposal.max_points,
            daily_cap=proposal.daily_cap,
            supersedes=self._superseded(proposal.supersedes),
            grace_seconds=proposal.grace_seconds,
            document=proposal.document or secrets.token_bytes(32),
        )

    def _target(self, proposal: Proposal, programs: ProgramService) -> tuple[Program | None, int]:
        if proposal.kind is AgreementKind.EXCHANGE:
            if proposal.target_program is None:
                raise InvalidRequest.at("/target_program", "an exchange needs a target program")
            program = programs.existing(proposal.target_program, "/target_program")
            return program, program.merchant_number
        if proposal.target_merchant is None:
            raise InvalidRequest.at("/target_merchant", "an acceptance needs the merchant that takes the points")
        merchant = self._merchants.by_id(proposal.target_merchant)
        if merchant is None:
            detail = f"there is no merchant {proposal.target_merchant}"
            raise NotFound.at("/target_merchant", detail, code="unknown_merchant")
        return None, merchant.number

    def _superseded(self, agreement_id: str | None) -> int:
        if agreement_id is None:
            return 0
        old = self._agreements.by_id(agreement_id)
        if old is None:
            raise NotFound.at("/supersedes", f"there is no agreement {agreement_id}", code="unknown_agreement")
        if old.number is None or old.state in (AgreementState.PROPOSED, AgreementState.FAILED):
            raise InvalidRequest.at("/supersedes", "only an agreement that both have signed can be superseded")
        return old.number

    # ---------------------------------------------------------------- what the contract checks

    def _check(self, terms: AgreementTerms) -> None:
        errors = [FieldError(pointer, detail) for pointer, detail in (*self._wrong(terms),)]
        if errors:
            raise InvalidRequest("; ".join(f"{e.pointer[1:]} {e.detail}" for e in errors), errors=tuple(errors))
        for number in {terms.source_merchant, terms.target_merchant}:
            merchant = self._merchants.by_number(number)
            if merchant is not None:
                require_participating(merchant)

    def _wrong(self, t: AgreementTerms) -> Sequence[tuple[str, str]]:
        exchange = t.kind == AgreementKind.EXCHANGE
        rules = (
            (exchange and t.target_program == t.source_program, "/target_program", "is the source program"),
            (exchange and not t.initiators & Initiator.SOURCE, "/initiators", "must contain source"),
            (not exchange and t.target_merchant == t.source_merchant, "/target_merchant", "runs the source program"),
            (not exchange and (t.rate_num, t.rate_den) != (1, 1), "/rate_num", "must be 1/1 in an acceptance"),
            (not exchange and t.lifetime_days != 0, "/lifetime_days", "must be 0 in an acceptance"),
            (not 1 <= t.initiators <= 3, "/initiators", "must name source, target or both"),
            (not 1 <= t.rate_num <= MAX_RATE, "/rate_num", f"must be from 1 to {MAX_RATE}"),
            (not 1 <= t.rate_den <= MAX_RATE, "/rate_den", f"must be from 1 to {MAX_RATE}"),
            (not 0 <= t.unit_price_micros <= MAX_POINTS, "/unit_price_micros", f"must be from 0 to {MAX_POINTS}"),
            (not 0 <= t.fee_bps <= 10_000, "/fee_bps", "must be from 0 to 10000"),
            (not 0 <= t.lifetime_days <= 65_535, "/lifetime_days", "must be from 0 to 65535"),
            (not 1 <= t.max_points <= MAX_POINTS, "/max_points", f"must be from 1 to {MAX_POINTS}"),
            (not t.max_points <= t.daily_cap <= MAX_POINTS, "/daily_cap", "must be at least max_points"),
            (not 0 <= t.grace_seconds <= MAX_GRACE, "/grace_seconds", f"must be from 0 to {MAX_GRACE}"),
            (not 0 <= t.valid_from <= MAX_TIME, "/valid_from", "is out of range"),
            (not t.valid_from < t.valid_until <= MAX_TIME, "/valid_until", "must be after valid_from"),
            (t.valid_until <= unix_now() + MIN_REMAINING, "/valid_until", "must be at least a minute from now"),
            (not self._supersedes_same_route(t), "/supersedes", "must have the same kind, programs and merchants"),
        )
        return [(pointer, detail) for broken, pointer, detail in rules if broken]

    def _supersedes_same_route(self, terms: AgreementTerms) -> bool:
        if terms.supersedes == 0:
            return True
        old = self._agreements.by_number(terms.supersedes)
        return old is not None and _route(old.terms) == _route(terms)

    # ---------------------------------------------------------------- rounds

    def _check_rounds(self, terms: AgreementTerms) -> None:
        """Refuses terms that would let points grow by being exchanged in a round.

        An agreement that these terms supersede counts as long as it can be used: its grace is part of the round's time.
        """
        if terms.kind != AgreementKind.EXCHANGE:
            return
        existing = [_exchange(agreement.terms) for agreement in self._agreements.exchanges_after(unix_now())]
        found = profitable_round(existing, _exchange(terms))
        if found is None:
            return
        programs = ProgramRepository(self._session)
        codes = [program.code if (program := programs.by_number(n)) else str(n) for n in found.programs]
        raise Refused.at(
            "/rate_num",
            f"one point would become {found.gain} by going round {' → '.join(codes)}: "
            f"lower the rate to at most {_exchange(terms).rate / found.gain}, or end one of the others first",
            code="rate_cycle",
        )

    # ---------------------------------------------------------------- signatures

    def _signature_of(self, merchant: Merchant, agreement: Agreement, given: bytes | None) -> bytes | None:
        """The given signature if it is good; else one by the merchant's managed key, if there is such a key."""
        if given is not None:
            self._check_signature(merchant.number, agreement.digest, given)
            return given
        key = self._merchants.managed_key(merchant.number, unix_now())
        if key is None or key.keystore is None:
            return None
        return self._keyring.sign(key.keystore, agreement.digest)

    def _check_signature(self, merchant_number: int, digest: bytes, signature: bytes) -> None:
        try:
            signer = recover_signer(digest, signature)
        except ValueError as error:
            raise _wrong_signer(str(error)) from error
        if int.from_bytes(signature[32:], "big") & (1 << 255) - 1 > _HALF_ORDER:
            raise _wrong_signer("its s is in the upper half of the curve's order, which the chain refuses")
        if self._merchants.live_key(merchant_number, signer.lower(), unix_now()) is None:
            raise _wrong_signer(f"it is by {signer}, which is not a live key of the merchant")

    def _add_signature(self, merchant: Merchant, agreement: Agreement, signature: bytes, actor: str) -> None:
        if merchant.number == agreement.source_merchant:
            agreement.source_signature = signature
        if merchant.number == agreement.target_merchant:
            agreement.target_signature = signature
        self._session.flush()
        if agreement.source_signature is not None and agreement.target_signature is not None:
            self._accept(agreement, actor)

    def _accept(self, agreement: Agreement, actor: str) -> None:
        """Numbers the agreement and sends it to the chain. Everything is checked again: days may have passed."""
        assert agreement.source_signature is not None
        assert agreement.target_signature is not None
        self._agreements.hold_numbers()
        self._check(agreement.terms)
        self._check_rounds(agreement.terms)
        self._check_signature(agreement.source_merchant, agreement.digest, agreement.source_signature)
        self._check_signature(agreement.target_merchant, agreement.digest, agreement.target_signature)
        agreement.number = self._agreements.next_number()
        agreement.state = AgreementState.ACCEPTED
        self._session.flush()
        arguments = [
            agreement.number,
            wire_terms(agreement.terms),
            hex_of(full_signature(agreement.source_signature)),
            hex_of(full_signature(agreement.target_signature)),
        ]
        request_call(self._session, "operator", "registerAgreement", arguments, agreement.id)
        self._tell("agreement.accepted", agreement, actor)

    def _tell(self, type: str, agreement: Agreement, actor: str) -> None:  # noqa: A002
        parties = {agreement.source_merchant, agreement.target_merchant}
        data = {"agreement": agreement.id, "state": agreement.state or AgreementState.PROPOSED}
        tell_merchants(self._session, type, agreement.id, actor, parties, data)


def wire_terms(terms: AgreementTerms) -> list[Any]:
    """The terms as the contract's tuple, in JSON values."""
    values = [getattr(terms, name) for name in AgreementTerms.__dataclass_fields__]
    return [hex_of(value) if isinstance(value, bytes) else value for value in values]


def _route(terms: AgreementTerms) -> tuple[int, ...]:
    return (
        terms.kind,
        terms.source_merchant,
        terms.target_merchant,
        terms.source_program,
        terms.target_program,
    )


def _exchange(terms: AgreementTerms) -> Exchange:
    return Exchange(terms.source_program, terms.target_program, Fraction(terms.rate_num, terms.rate_den))


def _proposed_before() -> ClearingError:
    return Conflict("these very terms were proposed before; another document makes them distinct")


def _wrong_signer(detail: str) -> ClearingError:
    return Refused.at("/signature", f"the signature is not good: {detail}", code="wrong_signer")
