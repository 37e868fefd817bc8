"""Refused messages by state and device; one as it came, taken again or put aside."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.mqtt.models import RefusedState
from loyalty.mqtt.service import DeviceMessageService
from loyalty.pages.names import REFUSED_STATES
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.people.actors import actor_names
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/refused-messages")
_ROWS = 50
_STATES = {state.value: name for state, (name, _tone) in REFUSED_STATES.items()}


class Again(Form):
    """A message that is taken again: nothing is typed."""

    ids = "a-"


@router.get("")
def refused_messages(visit: Visiting) -> Response:
    """Refused messages, newest first."""
    filters = read_filters(visit.request.query_params, choices={"state": _STATES}, texts={"device": 40})
    asked = filters.asked
    rows, following = DeviceMessageService(visit.session).page(
        device=asked.get("device"),
        state=RefusedState(asked["state"]) if "state" in asked else None,
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "refused_messages/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        states=_STATES.items(),
        pager=pager_of(visit.request, following),
    )


@router.get("/{refused_message}")
def one(visit: Visiting, refused_message: str) -> Response:
    """One message, as it came."""
    return _page(visit, refused_message)


@router.post("/{refused_message}/take-again")
def take_again(visit: Visiting, refused_message: str) -> Response:
    """Takes a message that was refused."""
    form = Again(sent=visit.sent)
    with visit.refusals(form):
        DeviceMessageService(visit.session).take_again(refused_message, actor=visit.actor)
    if form.is_valid:
        return visit.redirect(f"/refused-messages/{refused_message}", _("It was taken."))
    return _page(visit, refused_message, again=form)


@router.post("/{refused_message}/put-aside")
def put_aside(visit: Visiting, refused_message: str) -> Response:
    """Notes that nothing is to follow from a message."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            DeviceMessageService(visit.session).put_aside(
                refused_message, actor=visit.actor, reason=form.values["reason"]
            )
        if form.is_valid:
            return visit.redirect(f"/refused-messages/{refused_message}", _("It is put aside."))
    return _page(visit, refused_message, aside=form)


def _page(visit: Visit, message_id: str, *, again: Form | None = None, aside: Form | None = None) -> Response:
    message = DeviceMessageService(visit.session).get(message_id)
    forms = {"again": again or Again(), "aside": aside or Because()}
    return visit.page(
        "refused_messages/one.html",
        message=message,
        forms=forms,
        names=actor_names(visit.session, [message.decided_by] if message.decided_by else []),
        may_decide=message.state is RefusedState.OPEN
        and visit.may("POST", "/refused-messages/{refused_message}/put-aside"),
        status=max(form.status for form in forms.values()),
        crumbs=[(message.code, None)],
    )
