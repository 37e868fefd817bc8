"""What the nightly check has found, and what a person says about it."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.network.differences import DifferenceService
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/differences")
_ROWS = 50
_STATES = {"open": lazy("Open"), "closed": lazy("Closed")}


@router.get("")
def differences(visit: Visiting) -> Response:
    """Differences, newest first."""
    filters = read_filters(visit.request.query_params, choices={"state": _STATES})
    state = filters.asked.get("state")
    rows, following = DifferenceService(visit.session).page(
        is_open=None if state is None else state == "open", cursor=cursor_of(visit.request), limit=_ROWS
    )
    return visit.page(
        "differences/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        states=_STATES.items(),
        pager=pager_of(visit.request, following),
    )


@router.get("/{difference}")
def one(visit: Visiting, difference: str) -> Response:
    """One difference: what the programme says, and what the network says."""
    return _page(visit, difference, Because())


@router.post("/{difference}/close")
def close(visit: Visiting, difference: str) -> Response:
    """Notes that somebody has dealt with it, and how."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            DifferenceService(visit.session).close(difference, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/differences/{difference}", _("The difference is closed."))
    return _page(visit, difference, form)


def _page(visit: Visit, difference: str, form: Form) -> Response:
    found = DifferenceService(visit.session).get(difference)
    both = [(name, found.here.get(name), found.there.get(name)) for name in {**found.here, **found.there}]
    return visit.page(
        "differences/one.html",
        difference=found,
        both=both,
        form=form,
        may_close=visit.may("POST", "/differences/{difference}/close") and found.closed_at is None,
        status=form.status,
        crumbs=[(found.subject, None)],
    )
