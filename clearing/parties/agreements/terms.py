"""The terms of agreements: from a proposal to the terms that get signed, and the rules that terms must keep.

The contract checks the same rules. An agreement that it refused would block all agreements with later numbers, so such terms
must not get that far. A new rule on terms is one more line in `_violations`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import FieldError, Forbidden, InvalidRequest, NotFound
from clearing.parties.agreements.models import Agreement, AgreementKind, Initiator
from clearing.parties.agreements.repository import REGISTERED, AgreementRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import require_merchant, require_participating
from clearing.parties.programs.service import require_program
from tongdui.encoding import hex_of
from tongdui.orders import AgreementTerms

MAX_GRACE_SECONDS = 7 * 86_400
MAX_TIME = 2**40 - 1
MAX_RATE = 2**32 - 1
MAX_POINTS = 2**64 - 1
MAX_FEE_BPS = 10_000
MAX_LIFETIME_DAYS = 2**16 - 1
MIN_REMAINING_SECONDS = 60
"""How long terms must still be valid when both sides have signed: the chain must see them before they end."""
DEFAULT_ACCEPT_SECONDS = 30 * 86_400
"""How long the sides have to sign terms that do not say it themselves."""
CHAIN_BEHIND_SECONDS = 60
"""How far the time of the blocks, the only one that the contract knows, may be behind the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a merchant proposes. It names programs by code or id, merchants and agreements by id; times are Unix seconds."""

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
    accept_by: int | None
    keep_expiry: bool
    document: bytes | None
    signature: bytes | None


def terms_of(session: Session, proposal: Proposal) -> AgreementTerms:
    """The terms that the proposal describes, with the chain's numbers in place of codes and ids."""
    source = require_program(session, proposal.source_program, "/source_program")
    target_program, target_merchant = _target(session, proposal)
    return AgreementTerms(
        kind=int(proposal.kind),
        initiators=proposal.initiators,
        fee_bps=proposal.fee_bps,
        lifetime_days=proposal.lifetime_days,
        source_merchant=source.merchant_number,
        target_merchant=target_merchant,
        source_program=source.number,
        target_program=target_program,
        valid_from=_at_once(session) if proposal.valid_from is None else proposal.valid_from,
        valid_until=proposal.valid_until,
        rate_num=proposal.rate_num,
        rate_den=proposal.rate_den,
        unit_price_micros=proposal.unit_price_micros,
        max_points=proposal.max_points,
        daily_cap=proposal.daily_cap,
        supersedes=_superseded(session, proposal.supersedes),
        grace_seconds=proposal.grace_seconds,
        accept_by=_default_accept_by(session, proposal) if proposal.accept_by is None else proposal.accept_by,
        keep_expiry=proposal.keep_expiry,
        document=proposal.document or secrets.token_bytes(32),
    )


def require_party(merchant: Merchant, terms: AgreementTerms) -> None:
    """Refuses terms of others: a merchant proposes only its own agreements."""
    if merchant.number not in (terms.source_merchant, terms.target_merchant):
        raise Forbidden("a merchant can only propose agreements of its own", code="forbidden")


def check_terms(session: Session, terms: AgreementTerms, *, minimum_fee_bps: int) -> None:
    """Refuses terms that the contract or the operator would refuse, and merchants that may not take part."""
    agreements = AgreementRepository(session)
    superseded = agreements.by_number(terms.supersedes) if terms.supersedes else None
    errors = tuple(_violations(terms, superseded, clock_of(session).unix()))
    if terms.fee_bps < minimum_fee_bps:
        errors += (FieldError("/fee_bps", f"must be at least {minimum_fee_bps}, which the operator asks for"),)
    if errors:
        raise InvalidRequest("; ".join(f"{error.pointer[1:]} {error.detail}" for error in errors), errors=errors)
    merchants = MerchantRepository(session)
    for number in {terms.source_merchant, terms.target_merchant}:
        merchant = merchants.by_number(number)
        if merchant is not None:
            require_participating(merchant)


def contract_tuple(terms: AgreementTerms) -> list[Any]:
    """The terms as the contract's struct, in JSON values."""
    values = [getattr(terms, name) for name in AgreementTerms.__dataclass_fields__]
    return [hex_of(value) if isinstance(value, bytes) else value for value in values]


def _at_once(session: Session) -> int:
    """A beginning that the chain has reached for sure. The terms hold from their registration all the same."""
    return clock_of(session).unix() - CHAIN_BEHIND_SECONDS


def _default_accept_by(session: Session, proposal: Proposal) -> int:
    """An end of every proposal: a signature that is lying about must not be worth something for ever."""
    return min(clock_of(session).unix() + DEFAULT_ACCEPT_SECONDS, proposal.valid_until)


def _target(session: Session, proposal: Proposal) -> tuple[int, int]:
    """Numbers of the target program (0 in an acceptance) and of the target merchant."""
    if proposal.kind is AgreementKind.EXCHANGE:
        if proposal.target_program is None:
            raise InvalidRequest.at("/target_program", "an exchange needs a target program")
        program = require_program(session, proposal.target_program, "/target_program")
        return program.number, program.merchant_number
    if proposal.target_merchant is None:
        raise InvalidRequest.at("/target_merchant", "an acceptance needs the merchant that accepts the points")
    return 0, require_merchant(session, proposal.target_merchant, "/target_merchant").number


def _superseded(session: Session, agreement_id: str | None) -> int:
    if agreement_id is None:
        return 0
    old = AgreementRepository(session).by_id(agreement_id)
    if old is None:
        raise NotFound.of("agreement", f"there is no agreement {agreement_id}", "/supersedes")
    if old.number is None or old.state not in REGISTERED:  # before that its number, which gets signed, may still change
        raise InvalidRequest.at("/supersedes", "only an agreement that is on the chain can be superseded")
    return old.number


def _violations(t: AgreementTerms, superseded: Agreement | None, at: int) -> list[FieldError]:
    """The rules that the terms break at Unix time `at`."""
    is_exchange = t.kind == AgreementKind.EXCHANGE
    soon = at + MIN_REMAINING_SECONDS
    is_new_route = t.supersedes != 0 and (superseded is None or _route(superseded.terms) != _route(t))
    rules = (
        (is_exchange and t.target_program == t.source_program, "/target_program", "is the source program"),
        (is_exchange and not t.initiators & Initiator.SOURCE, "/initiators", "must contain source"),
        (not is_exchange and t.target_merchant == t.source_merchant, "/target_merchant", "runs the source program"),
        (not is_exchange and (t.rate_num, t.rate_den) != (1, 1), "/rate_num", "must be 1/1 in an acceptance"),
        (not is_exchange and t.lifetime_days != 0, "/lifetime_days", "must be 0 in an acceptance"),
        (not is_exchange and t.keep_expiry, "/keep_expiry", "must be false in an acceptance, which mints no points"),
        (
            not 1 <= t.initiators <= Initiator.SOURCE | Initiator.TARGET,
            "/initiators",
            "must name source, target or both",
        ),
        (not 1 <= t.rate_num <= MAX_RATE, "/rate_num", f"must be from 1 to {MAX_RATE}"),
        (not 1 <= t.rate_den <= MAX_RATE, "/rate_den", f"must be from 1 to {MAX_RATE}"),
        (not 0 <= t.unit_price_micros <= MAX_POINTS, "/unit_price_micros", f"must be from 0 to {MAX_POINTS}"),
        (not 0 <= t.fee_bps <= MAX_FEE_BPS, "/fee_bps", f"must be from 0 to {MAX_FEE_BPS}"),
        (not 0 <= t.lifetime_days <= MAX_LIFETIME_DAYS, "/lifetime_days", f"must be from 0 to {MAX_LIFETIME_DAYS}"),
        (not 1 <= t.max_points <= MAX_POINTS, "/max_points", f"must be from 1 to {MAX_POINTS}"),
        (not t.max_points <= t.daily_cap <= MAX_POINTS, "/daily_cap", "must be at least max_points"),
        (not 0 <= t.grace_seconds <= MAX_GRACE_SECONDS, "/grace_seconds", f"must be from 0 to {MAX_GRACE_SECONDS}"),
        (not 0 <= t.valid_from <= MAX_TIME, "/valid_from", "is out of range"),
        (not t.valid_from < t.valid_until <= MAX_TIME, "/valid_until", "must be after valid_from"),
        (t.valid_until <= soon, "/valid_until", "must be at least a minute from now"),
        (not 0 <= t.accept_by <= MAX_TIME, "/accept_by", "is out of range"),
        (t.accept_by > t.valid_until, "/accept_by", "must be at most valid_until"),
        (0 != t.accept_by <= soon < t.valid_until, "/accept_by", "must be at least a minute from now"),
        (is_new_route, "/supersedes", "must have the same kind, programs and merchants"),
    )
    return [FieldError(pointer, detail) for is_broken, pointer, detail in rules if is_broken]


def _route(terms: AgreementTerms) -> tuple[int, ...]:
    return (
        terms.kind,
        terms.source_merchant,
        terms.target_merchant,
        terms.source_program,
        terms.target_program,
    )
