"""Messages by state, kind and customer; one with each try; kinds with their texts; how messages are sent."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customers.service import CustomerService
from loyalty.messages.models import MessageState
from loyalty.messages.sending import Sending
from loyalty.messages.service import MAY_BE_REPEATED, MessageService
from loyalty.messages.templates import KINDS, LANGUAGES, SWITCHED, render
from loyalty.pages.messages.forms import Reset, Texts
from loyalty.pages.names import MESSAGE_KINDS, MESSAGE_STATES
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.presentation import presentation
from pages.translations import gettext as _

router = page_router("/messages")
_ROWS = 50
_STATES = {state.value: name for state, (name, _tone) in MESSAGE_STATES.items()}
_KINDS = {kind: MESSAGE_KINDS[kind] for kind in SWITCHED}


@router.get("")
def messages(visit: Visiting) -> Response:
    """Messages, newest first."""
    filters = read_filters(
        visit.request.query_params, choices={"state": _STATES, "kind": _KINDS}, texts={"customer": 40}
    )
    asked, service = filters.asked, MessageService(visit.session)
    rows, following = service.page(
        customer=asked.get("customer"),
        kind=asked.get("kind"),
        state=MessageState(asked["state"]) if "state" in asked else None,
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "messages/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        last=service.last_deliveries(rows),
        filters=filters,
        states=_STATES.items(),
        kinds=_KINDS.items(),
        pager=pager_of(visit.request, following),
    )


@router.get("/kinds")
def kinds(visit: Visiting) -> Response:
    """Every kind of message, and how messages are sent."""
    return visit.page(
        "messages/kinds.html",
        kinds=[(one, one.texts[presentation().language].title) for one in MessageService(visit.session).kinds()],
        sending=Sending.of(visit.parts.settings),
        crumbs=[(_("Texts and channels"), None)],
    )


@router.get("/kinds/{kind}")
def kind(visit: Visiting, kind: str) -> Response:
    """One kind, with its texts and how they read."""
    setting = MessageService(visit.session).kind(kind)
    return _kind_page(visit, kind, Texts(Texts.beginning(setting.is_on, setting.texts)))


@router.post("/kinds/{kind}")
def write(visit: Visiting, kind: str) -> Response:
    """Keeps the texts of a kind, or only shows how they read."""
    form, service = Texts(sent=visit.sent), MessageService(visit.session)
    if form.is_valid:
        is_preview = "preview" in visit.sent
        with visit.refusals(form, "/texts"):
            if is_preview:
                service.check_texts(kind, form.texts)
            else:
                service.set_kind(kind, is_on=form.values["is_on"], texts=form.texts, actor=visit.actor)
        if not is_preview and form.is_valid:
            return visit.redirect(f"/messages/kinds/{kind}", _("Customers read it so from now on."))
        form.renew_key()  # what was only shown has not acted
    return _kind_page(visit, kind, form)


@router.post("/kinds/{kind}/reset")
def reset(visit: Visiting, kind: str) -> Response:
    """Gives a kind the texts back that the programme came with."""
    form, service = Reset(sent=visit.sent), MessageService(visit.session)
    with visit.refusals(form):
        service.set_kind(kind, is_on=service.kind(kind).is_on, texts=None, actor=visit.actor)
    return visit.redirect(f"/messages/kinds/{kind}", _("The texts are those that the programme came with."))


@router.get("/{message}")
def one(visit: Visiting, message: str) -> Response:
    """One message, with each try to send it."""
    return _page(visit, message, Because())


@router.post("/{message}/send-again")
def send_again(visit: Visiting, message: str) -> Response:
    """Has a message be tried anew."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            MessageService(visit.session).send_again(message, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/messages/{message}", _("It is sent again."))
    return _page(visit, message, form)


def _kind_page(visit: Visit, kind: str, form: Texts) -> Response:
    setting = MessageService(visit.session).kind(kind)
    texts = form.texts if form.is_valid else setting.texts
    example = KINDS[kind].example
    return visit.page(
        "messages/kind.html",
        setting=setting,
        form=form,
        reset=Reset(),
        names=[f"{{{name}}}" for name in example],
        reads=[(language, render(kind, language, example, texts)) for language in LANGUAGES],
        is_shown_only=form.is_valid,
        may_write=visit.may("POST", "/messages/kinds/{kind}"),
        status=form.status,
        crumbs=[(_("Texts and channels"), "/staff/messages/kinds"), (MESSAGE_KINDS[kind], None)],
    )


def _page(visit: Visit, message_id: str, form: Form) -> Response:
    service = MessageService(visit.session)
    message = service.get(message_id)
    language = CustomerService(visit.session).get(message.customer_id).language
    return visit.page(
        "messages/one.html",
        message=message,
        deliveries=service.deliveries_of(message),
        language=language,
        text=render(message.kind, language, message.values, service.kind(message.kind).texts),
        form=form,
        may_repeat=message.state in MAY_BE_REPEATED and visit.may("POST", "/messages/{message}/send-again"),
        status=form.status,
        crumbs=[(MESSAGE_KINDS[message.kind], None)],
    )
