"""What terms would mean, before anybody proposes them: what points become and cost, and the cycle that they would close."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.parties.agreements.conversion import Conversion, convert
from clearing.parties.agreements.cycles import Cycle, Exchange, best_cycle
from clearing.parties.agreements.models import AgreementKind
from clearing.parties.agreements.renewal import by_source, renewing_cycle
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.terms import Proposal, check_terms, require_party, terms_of
from clearing.parties.merchants.models import Merchant
from tongdui.orders import AgreementTerms


@dataclass(frozen=True, slots=True)
class Preview:
    """What terms would mean."""

    terms: AgreementTerms
    conversion: Conversion
    cycle: Cycle | None
    """The best one that the terms would close. If its gain is above 1, the proposal would be refused."""
    renewing: tuple[int, ...] | None
    """The programs on a way by which points would come back with a later expiry."""


class PreviewService:
    """Looks at terms in one session. Writes nothing."""

    def __init__(self, session: Session, *, minimum_fee_bps: int) -> None:
        self._session = session
        self._minimum_fee_bps = minimum_fee_bps

    def of(self, merchant: Merchant, proposal: Proposal, points: int) -> Preview:
        """What the merchant's proposal would mean for so many points. Refuses terms as `propose` would, but for their cycle."""
        terms = terms_of(self._session, proposal)
        require_party(merchant, terms)
        check_terms(self._session, terms, minimum_fee_bps=self._minimum_fee_bps)
        conversion = convert(points, terms)
        if terms.kind != AgreementKind.EXCHANGE:
            return Preview(terms, conversion, None, None)
        signed = AgreementRepository(self._session).exchanges_after(clock_of(self._session).unix())
        existing, new = [Exchange.under(agreement.terms) for agreement in signed], Exchange.under(terms)
        return Preview(terms, conversion, best_cycle(existing, new), renewing_cycle(by_source(existing), new))
