"""Wishes: by state, one with what became of it, and what a person decides about a refused one."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.network.models import WishState
from loyalty.network.wishes import WishService
from loyalty.pages.names import WISH_STATES
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.web.story import explorer_of
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/wishes")
_ROWS = 50


class Retry(Because):
    """Why it is sent again."""

    ids = "r-"


class WriteOff(Because):
    """Why it is given up."""

    ids = "w-"


@router.get("")
def wishes(visit: Visiting) -> Response:
    """Wishes, newest first."""
    states = {state.value: state for state in WishState}
    filters = read_filters(visit.request.query_params, choices={"state": states}, texts={"reference": 140})
    rows, following = WishService(visit.session).page(
        state=states.get(filters.asked.get("state", "")),
        reference=filters.asked.get("reference"),
        member=None,
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "wishes/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        states=[(state.value, name) for state, (name, _tone) in WISH_STATES.items()],
        pager=pager_of(visit.request, following),
    )


@router.get("/{wish}")
def one(visit: Visiting, wish: str) -> Response:
    """One wish."""
    return _page(visit, wish)


@router.post("/{wish}/retry")
def retry(visit: Visiting, wish: str) -> Response:
    """Sends a refused wish again, under a reference of its own."""
    form = Retry(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            again = WishService(visit.session).retry(wish, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/wishes/{again.id}", _("It is sent again. This wish has taken its place."))
    return _page(visit, wish, retry=form)


@router.post("/{wish}/write-off")
def write_off(visit: Visiting, wish: str) -> Response:
    """Gives a refused wish up."""
    form = WriteOff(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            WishService(visit.session).write_off(wish, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/wishes/{wish}", _("It is given up."))
    return _page(visit, wish, write_off=form)


def _page(visit: Visit, wish: str, *, retry: Form | None = None, write_off: Form | None = None) -> Response:
    found = WishService(visit.session).get(wish)
    forms = {"retry": retry or Retry(), "write_off": write_off or WriteOff()}
    may_decide = visit.may("POST", "/wishes/{wish}/retry") and found.state is WishState.REFUSED
    return visit.page(
        "wishes/one.html",
        wish=found,
        forms=forms,
        may_decide=may_decide,
        explorer=explorer_of(visit),
        status=max(form.status for form in forms.values()),
        crumbs=[(found.reference, None)],
    )
