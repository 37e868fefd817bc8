"""Rules of quotes: what an exchange or a spend would give now, and a promise to give it for a little while."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.errors import Refused, pointer_into
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.ids import new_id
from clearing.ledger.availability.service import AvailabilityService
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ledger.settlement.service import require_liquidity
from clearing.ordering.quotes.models import Quote
from clearing.ordering.quotes.repository import QuoteRepository
from clearing.parties.agreements.conversion import Conversion
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.usability import NamedAgreement, UsabilityService
from clearing.parties.members.freezes import Taking, require_takeable
from clearing.parties.members.service import require_member
from clearing.parties.merchants.models import Merchant
from clearing.parties.programs.repository import ProgramRepository

_AT = pointer_into("")
"""A quote's request is the whole body."""


class QuoteService:
    """Quotes in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity, quote_ttl: int) -> None:
        self._session = session
        self._network = network
        self._clock = clock_of(session)
        self._quote_ttl = quote_ttl

    def create(
        self,
        merchant: Merchant,
        named: NamedAgreement,
        *,
        points: int,
        member: str | None,
    ) -> tuple[Quote, Agreement]:
        """A quote for exchanging or spending `points`, with its agreement, if that would be accepted now.

        Where the target side asks, the member's code is still to come: only the movement itself needs it.
        """
        usability = UsabilityService(self._session, network=self._network)
        agreement = usability.find(merchant, named, at=_AT)
        usability.require_use(merchant, agreement, named, has_consent=True, at=_AT)
        conversion = usability.converted(agreement, points, 1, _AT)
        usability.require_left_today(agreement, conversion.burnt, _AT("points"))
        payer = PositionRepository(self._session).get(agreement.source_merchant)
        require_liquidity(payer, conversion.paid, merchant.number)
        if member is not None:
            self._require_points(merchant, member, agreement.source_program, points)
        return self._stored(merchant, agreement, points, conversion), agreement

    def _require_points(self, merchant: Merchant, member: str, program: int, points: int) -> None:
        address = require_member(self._session, merchant, member, _AT("member")).address
        giver = ProgramRepository(self._session).get_one(program).merchant_number
        require_takeable(self._session, merchant.number, Taking(address, giver, _AT))
        availability = AvailabilityService(self._session, network=self._network).of_account((address, program))
        if points > availability.available:
            detail = f"the member has {max(availability.available, 0)} points available, {points} are needed"
            raise Refused.at(_AT("points"), detail, code="insufficient_points")

    def _stored(self, merchant: Merchant, agreement: Agreement, points: int, conversion: Conversion) -> Quote:
        ends = min(self._clock.now() + timedelta(seconds=self._quote_ttl), instant(agreement.usable_until))
        quote = Quote(
            id=new_id("quo"),
            merchant_number=merchant.number,
            agreement_id=agreement.id,
            points=points,
            points_burnt=conversion.burnt,
            out=conversion.out,
            settled=conversion.settled,
            fee=conversion.fee,
            expires_at=ends,
        )
        QuoteRepository(self._session).add(quote)
        return quote
