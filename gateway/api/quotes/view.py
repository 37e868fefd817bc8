"""Quotes as the API shows them."""

from __future__ import annotations

from clearing.ordering.quotes.models import Quote
from clearing.parties.agreements.models import Agreement
from gateway.api.quotes.schemas import QuoteView


def quote_view(quote: Quote, agreement: Agreement) -> QuoteView:
    """A quote with the rate of its agreement."""
    return QuoteView(
        id=quote.id,
        agreement=quote.agreement_id,
        points=quote.points,
        points_burnt=quote.points_burnt,
        out=quote.out,
        settled_micros=quote.settled,
        fee_micros=quote.fee,
        rate_num=agreement.rate_num,
        rate_den=agreement.rate_den,
        expires_at=quote.expires_at,
    )
