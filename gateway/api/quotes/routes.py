"""Quotes: what an exchange would give now, locked for a while."""

from __future__ import annotations

from fastapi import APIRouter

from clearing.ordering.quotes.service import QuoteService
from gateway.api.quotes.schemas import QuoteCreate, QuoteView
from gateway.api.quotes.view import quote_view
from gateway.http.endpoint import Endpoint, Mutating

router = APIRouter(route_class=Endpoint, tags=["quotes"])


@router.post("/v1/quotes", status_code=201)
def create_quote(body: QuoteCreate, call: Mutating) -> QuoteView:
    """What an exchange would give now. The amounts hold until `expires_at`; nothing is reserved."""
    quote, agreement = QuoteService(
        call.session, network=call.gateway.network, quote_ttl=call.gateway.settings.quote_ttl
    ).create(
        call.merchant,
        agreement_id=body.agreement,
        source_program=body.source_program,
        target_program=body.target_program,
        points=body.points,
        member=body.member,
    )
    return quote_view(quote, agreement)
