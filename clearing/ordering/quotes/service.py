"""Rules of quotes: what an exchange would give now, and a promise to give it for a little while."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import now, unix_now
from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Refused
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.ids import new_id
from clearing.ledger.accounts.repository import AccountRepository
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ordering.expiry.service import set_aside
from clearing.ordering.quotes.conversion import Conversion, convert
from clearing.ordering.quotes.models import Quote
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.agreements.models import Agreement, AgreementKind, Initiator
from clearing.parties.agreements.repository import REGISTERED, AgreementRepository, UseRepository
from clearing.parties.members.service import MemberService
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import require_participating
from clearing.parties.programs.models import ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import ProgramService

MAX_MICROS = 2**64 - 1
"""Most that the contract settles for one instruction."""


class QuoteService:
    """Quotes in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, quote_ttl: int) -> None:
        self._session = session
        self._network = network
        self._quote_ttl = quote_ttl

    def create(
        self,
        merchant: Merchant,
        *,
        agreement_id: str | None,
        source_program: str | None,
        target_program: str | None,
        points: int,
        member: str | None,
    ) -> Quote:
        """A quote for exchanging `points`, if the exchange would be accepted now."""
        agreement = self._agreement(merchant, agreement_id, source_program, target_program)
        self._check_parties(merchant, agreement)
        if points > agreement.max_points:
            detail = f"the agreement allows at most {agreement.max_points} points at a time"
            raise Refused.at("/points", detail, code="over_instruction_cap")
        conversion = _converted(agreement, points)
        self._check_amounts(agreement, conversion)
        if member is not None:
            self._check_balance(merchant, member, agreement.source_program, points)
        return self._stored(merchant, agreement, points, conversion)

    # ---------------------------------------------------------------- checks

    def _agreement(
        self, merchant: Merchant, agreement_id: str | None, source_program: str | None, target_program: str | None
    ) -> Agreement:
        if agreement_id is not None:
            return self._given(merchant, agreement_id)
        if source_program is None or target_program is None:
            raise InvalidRequest("name the agreement, or the source program and the target program")
        programs = ProgramService(self._session)
        source = programs.existing(source_program, "/source_program")
        target = programs.existing(target_program, "/target_program")
        found = AgreementRepository(self._session).usable(
            AgreementKind.EXCHANGE, source.number, target.number, None, unix_now()
        )
        if found is None:
            detail = f"no agreement in force exchanges {source.code} for {target.code}"
            raise NotFound.at("/target_program", detail, code="unknown_agreement")
        return found

    def _given(self, merchant: Merchant, agreement_id: str) -> Agreement:
        agreement = AgreementRepository(self._session).by_id(agreement_id)
        if agreement is None or merchant.number not in (agreement.source_merchant, agreement.target_merchant):
            raise NotFound.at("/agreement", f"there is no agreement {agreement_id}", code="unknown_agreement")
        if agreement.kind != AgreementKind.EXCHANGE:
            raise Refused.at("/agreement", "it is not an exchange agreement", code="wrong_agreement")
        if agreement.state not in REGISTERED or not agreement.valid_from <= unix_now() < agreement.ends_at:
            raise Refused.at("/agreement", "it is not in force now", code="agreement_not_live")
        return agreement

    def _check_parties(self, merchant: Merchant, agreement: Agreement) -> None:
        # The target side needs the member's one-time code, which is not offered here yet.
        if merchant.number != agreement.source_merchant or not agreement.initiators & Initiator.SOURCE:
            raise Forbidden("the agreement does not let you start an exchange", code="not_initiator")
        merchants = MerchantRepository(self._session)
        for number in (agreement.source_merchant, agreement.target_merchant):
            party = merchants.by_number(number)
            if party is not None:
                require_participating(party)
        programs = ProgramRepository(self._session)
        for number in (agreement.source_program, agreement.target_program):
            program = programs.by_number(number)
            if program is not None and program.status is ProgramStatus.PAUSED:
                raise Refused(f"program {program.code} is paused", code="program_paused")

    def _check_amounts(self, agreement: Agreement, conversion: Conversion) -> None:
        if conversion.out == 0:
            raise Refused.at("/points", "so few points give none in exchange", code="below_minimum")
        if conversion.settled > MAX_MICROS:
            raise Refused.at("/points", "their price does not fit the chain's 64 bits", code="amount_too_large")
        assert agreement.number is not None
        used = UseRepository(self._session).of(agreement.number, self._network.today())
        if used + conversion.burnt > agreement.daily_cap:
            left = max(agreement.daily_cap - used, 0)
            raise Refused.at("/points", f"{left} points are left of today's cap", code="over_daily_cap")
        liquidity = PositionRepository(self._session).get(agreement.source_merchant).liquidity
        if conversion.settled + conversion.fee > liquidity:
            raise Refused("the source merchant cannot pay for this exchange", code="insufficient_liquidity")

    def _check_balance(self, merchant: Merchant, member: str, program: int, points: int) -> None:
        address = MemberService(self._session).existing(merchant, member, "/member").address
        account = AccountRepository(self._session).get(address, program)
        aside = set_aside(self._session, self._network, {(address, program): account.available})
        available = max(account.available - aside.get((address, program), 0), 0)
        if points > available:
            raise Refused.at("/points", f"the member has {available} points", code="insufficient_points")

    def _stored(self, merchant: Merchant, agreement: Agreement, points: int, conversion: Conversion) -> Quote:
        quote = Quote(
            id=new_id("quo"),
            merchant_number=merchant.number,
            agreement_id=agreement.id,
            points=points,
            points_burnt=conversion.burnt,
            out=conversion.out,
            settled=conversion.settled,
            fee=conversion.fee,
            expires_at=min(now() + timedelta(seconds=self._quote_ttl), instant(agreement.ends_at)),
        )
        QuoteRepository(self._session).add(quote)
        return quote


def _converted(agreement: Agreement, points: int) -> Conversion:
    return convert(
        points,
        num=agreement.rate_num,
        den=agreement.rate_den,
        unit_price_micros=agreement.unit_price_micros,
        fee_bps=agreement.fee_bps,
    )
