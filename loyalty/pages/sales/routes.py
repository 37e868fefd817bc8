"""Sales by outcome, one sale with what it earned, and returns that wait."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.intake.service import IntakeService
from loyalty.pages.names import OUTCOMES
from loyalty.pages.story import explorer_of, stories_of
from loyalty.pages.visit import Visiting, page_router
from loyalty.sales.models import Outcome
from pages.filters import read_filters
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/sales")
_ROWS = 50
_LONGEST_ID = 40


@router.get("")
def sales(visit: Visiting) -> Response:
    """Sales, those that came last first."""
    choices = {outcome.value: outcome for outcome in Outcome}
    filters = read_filters(visit.request.query_params, choices={"outcome": choices}, texts={"customer": _LONGEST_ID})
    asked = filters.asked
    rows, following = IntakeService(visit.session).page(
        customer=asked.get("customer"),
        outcome=choices.get(asked.get("outcome", "")),
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "sales/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        outcomes=[(outcome.value, name) for outcome, (name, _tone) in OUTCOMES.items()],
        pager=pager_of(visit.request, following),
    )


@router.get("/returns")
def returns(visit: Visiting) -> Response:
    """Returns that are not booked."""
    rows, following = IntakeService(visit.session).open_returns(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page(
        "sales/returns.html",
        rows=rows,
        pager=pager_of(visit.request, following),
        crumbs=[(_("Returns that wait"), None)],
    )


@router.get("/{sale}")
def one(visit: Visiting, sale: str) -> Response:
    """One sale: its lines, what it earned and why, and what came back of it."""
    intake = IntakeService(visit.session)
    found = intake.sale(sale)
    (story,) = stories_of(visit, [found])
    return visit.page(
        "sales/one.html",
        sale=found,
        story=story,
        returns=intake.returns_of(found),
        explorer=explorer_of(visit),
        crumbs=[(found.number, None)],
    )
