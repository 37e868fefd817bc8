"""Quotes: what an exchange or a spend would give now, locked for a while."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.ordering.quotes.service import QuoteService
from clearing.parties.agreements.usability import NamedAgreement
from gateway.api.quotes.schemas import QuoteCreate, QuoteView
from gateway.api.quotes.view import quote_view
from gateway.http.endpoint import Endpoint, Mutating

router = APIRouter(route_class=Endpoint, tags=["quotes"])


@router.post("/v1/quotes", status_code=201)
def create_quote(body: QuoteCreate, call: Mutating) -> QuoteView:
    """What an exchange or a spend would give now. The amounts hold until `expires_at`; nothing is reserved."""
    quote, agreement = QuoteService(
        call.session, network=call.gateway.network, quote_ttl=call.gateway.settings.quote_ttl
    ).create(
        call.merchant,
        NamedAgreement(body.agreement, body.source_program, body.target_program, body.target_merchant),
        points=body.points,
        member=body.member,
    )
    return quote_view(quote, agreement)
