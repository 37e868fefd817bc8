"""The first page."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.home.view import EXPIRY_DAYS, purses_of, tasks_of
from loyalty.customer_pages.visit import Visiting, page_router
from loyalty.customer_pages.watching import seen_of
from loyalty.tiers.service import TierService

router = page_router("/home")


@router.get("")
def home(visit: Visiting) -> Response:
    """What a customer has, and what is missing."""
    purses, is_known = purses_of(visit)
    return visit.page(
        "home/home.html",
        seen=seen_of(visit.session, [visit.customer.id])[visit.customer.id],
        purses=purses,
        is_known=is_known,
        days=EXPIRY_DAYS,
        way=TierService(visit.session).way(visit.customer),
        tasks=tasks_of(visit),
    )
