"""Customers: found by what they are known by; one customer with consents, erasure, and why they have their points."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from loyalty.customers.models import Customer, IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.intake.service import IntakeService
from loyalty.joining.service import Joiner, JoiningService
from loyalty.kit.errors import Refusal
from loyalty.messages.service import MessageService
from loyalty.network.debts import DebtService
from loyalty.pages.customers.forms import (
    CodeWanted,
    Erase,
    NewConsent,
    NewCustomer,
    NewIdentifier,
    NewReferral,
    WriteOff,
)
from loyalty.pages.customers.standing import standing_of
from loyalty.pages.reasons import Because
from loyalty.pages.search import BY_ID, KNOWN_BY, find
from loyalty.pages.sentences import sentence_of
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.referrals.service import ReferralService
from loyalty.web.story import explorer_of, gifts_of, stories_of
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/customers")
_ROWS, _SALES = 50, 20
_MESSAGES = 10
_CHANGE = "/customers/{customer}/identifiers"


@router.get("")
def customers(visit: Visiting) -> Response:
    """Customers, newest first; or the one who is known by something."""
    choices = KNOWN_BY if _may_know(visit) else {BY_ID: KNOWN_BY[BY_ID]}
    filters = read_filters(visit.request.query_params, choices={"kind": choices}, texts={"value": 80})
    service = CustomerService(visit.session)
    mistakes = dict(filters.mistakes)
    if filters["value"] and not mistakes:
        try:
            found = find(service, filters["kind"] or BY_ID, filters["value"])
        except Refusal as error:
            mistakes["value"] = sentence_of(error)
        else:
            if found is not None:
                return visit.redirect(f"/customers/{found}")
            mistakes["value"] = _("Nobody is known by this.")
    rows, following = service.page(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page(
        "customers/list.html",
        status=422 if mistakes else 200,
        rows=rows,
        choices=choices.items(),
        filters=_with(filters, mistakes),
        pager=pager_of(visit.request, following),
    )


@router.get("/new")
def ask_new(visit: Visiting) -> Response:
    """Who joins."""
    return _new_page(visit, NewCustomer({"kind": "card"}))


@router.post("/new")
def add(visit: Visiting) -> Response:
    """Somebody joins."""
    form = NewCustomer(sent=visit.sent)
    if form.is_valid:
        values = form.values
        birthday = None if values["month"] is None else (values["month"], values["day"])
        shown = [Shown(IdentifierKind(values["kind"]), values["value"])]
        with visit.refusals(form):
            customer = JoiningService(visit.session).join(Joiner(shown=shown, birthday=birthday), actor=visit.actor)
        if form.is_valid:
            return visit.redirect(f"/customers/{customer.id}", _("The customer takes part from now on."))
    return _new_page(visit, form)


@router.get("/{customer}")
def one(visit: Visiting, customer: str) -> Response:
    """One customer, and why they have their points."""
    return _one_page(visit, CustomerService(visit.session).get(customer))


@router.post("/{customer}/identifiers")
def link(visit: Visiting, customer: str) -> Response:
    """Lets a customer be known by one more card, phone or plate."""
    form, service = NewIdentifier(sent=visit.sent), CustomerService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            shown = Shown(IdentifierKind(form.values["kind"]), form.values["value"])
            JoiningService(visit.session).link(customer, shown, actor=visit.actor)
        if form.is_valid:
            return visit.redirect(f"/customers/{customer}", _("The customer is known by this, too."))
    return _one_page(visit, service.get(customer), identifier=form)


@router.post("/{customer}/identifiers/{identifier}/remove")
def unlink(visit: Visiting, customer: str, identifier: str) -> Response:
    """Takes a card, a phone or a plate from a customer."""
    form, service = Because(sent=visit.sent), CustomerService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            service.unlink(customer, identifier, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/customers/{customer}", _("The customer is known by this no more."))
    return _one_page(visit, service.get(customer), removal=form, removed=identifier)


@router.post("/{customer}/consents")
def consent(visit: Visiting, customer: str) -> Response:
    """Notes what a customer agrees to, or no longer does."""
    form, service = NewConsent(sent=visit.sent), CustomerService(visit.session)
    if form.is_valid:
        values = form.values
        with visit.refusals(form):
            JoiningService(visit.session).consent(
                customer,
                purpose=values["purpose"],
                text_version=values["text_version"],
                is_given=values["is_given"] == "yes",
                actor=visit.actor,
            )
        if form.is_valid:
            return visit.redirect(f"/customers/{customer}", _("It is noted."))
    return _one_page(visit, service.get(customer), consent=form)


@router.post("/{customer}/referral-code")
def referral_code(visit: Visiting, customer: str) -> Response:
    """Gives a customer the code that they hand on."""
    form, service = CodeWanted(sent=visit.sent), CustomerService(visit.session)
    with visit.refusals(form):
        ReferralService(visit.session).code_of(service.get(customer))
    if form.is_valid:
        return visit.redirect(f"/customers/{customer}", _("The customer has a code to hand on."))
    return _one_page(visit, service.get(customer), code=form)


@router.post("/{customer}/referral")
def referral(visit: Visiting, customer: str) -> Response:
    """Notes who brought a customer."""
    form, service = NewReferral(sent=visit.sent), CustomerService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            JoiningService(visit.session).refer(customer, form.values["code"], actor=visit.actor)
        if form.is_valid:
            return visit.redirect(f"/customers/{customer}", _("It is noted."))
    return _one_page(visit, service.get(customer), referral=form)


@router.post("/{customer}/debts/{debt}/write-off")
def write_off(visit: Visiting, customer: str, debt: str) -> Response:
    """Gives up what is left of a debt."""
    form = WriteOff(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            DebtService(visit.session).write_off(debt, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/customers/{customer}", _("It is owed no more."))
    return _one_page(visit, CustomerService(visit.session).get(customer), debt=form)


@router.get("/{customer}/erase")
def ask_erase(visit: Visiting, customer: str) -> Response:
    """Why a customer leaves."""
    return _erase_page(visit, CustomerService(visit.session).get(customer), Erase())


@router.post("/{customer}/erase")
def erase(visit: Visiting, customer: str) -> Response:
    """Forgets who a customer was."""
    form, service = Erase(sent=visit.sent), CustomerService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            service.erase(customer, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/customers/{customer}", _("Nobody knows any more who this was."))
    return _erase_page(visit, service.get(customer), form)


def _messages_of(visit: Visit, customer: Customer) -> dict[str, Any]:
    """What the customer was told last, for whoever may see messages."""
    if not visit.may("GET", "/messages"):
        return {"messages": (), "last_deliveries": {}}
    service = MessageService(visit.session)
    found, _more = service.page(customer=customer.id, kind=None, state=None, cursor=None, limit=_MESSAGES)
    return {"messages": found, "last_deliveries": service.last_deliveries(found)}


def _may_know(visit: Visit) -> bool:
    """Whether the person may see by what customers are known."""
    return visit.may("POST", _CHANGE)


def _with(filters: Any, mistakes: dict[str, str]) -> Any:
    return type(filters)(filters.typed, filters.asked, mistakes)


def _new_page(visit: Visit, form: Form) -> Response:
    return visit.page("customers/new.html", form=form, status=form.status, crumbs=[(_("New customer"), None)])


def _erase_page(visit: Visit, customer: Customer, form: Form) -> Response:
    crumbs = [(customer.id, f"/staff/customers/{customer.id}"), (_("Erase"), None)]
    return visit.page("customers/erase.html", form=form, customer=customer, status=form.status, crumbs=crumbs)


def _one_page(visit: Visit, customer: Customer, *, removed: str | None = None, **sent: Form) -> Response:
    service = CustomerService(visit.session)
    sales, following = IntakeService(visit.session).page(
        customer=customer.id, outcome=None, cursor=cursor_of(visit.request), limit=_SALES
    )
    forms = {"identifier": NewIdentifier(), "consent": NewConsent(), "removal": Because(), "debt": WriteOff()}
    forms |= {"code": CodeWanted(), "referral": NewReferral()} | sent
    may_know = _may_know(visit)
    return visit.page(
        "customers/one.html",
        status=max(form.status for form in forms.values()),
        customer=customer,
        identifiers=service.identifiers_of(customer) if may_know else (),
        consents=service.consents_of(customer),
        standing=standing_of(visit, customer) if may_know else None,
        may_know=may_know,
        may_change=may_know and customer.erased_at is None,
        may_erase=visit.may("POST", "/customers/{customer}/erase") and customer.erased_at is None,
        forms=forms,
        removed=removed,
        debts=DebtService(visit.session).page(customer=customer.id, is_open=None, cursor=None, limit=_ROWS)[0],
        may_write_off=visit.may("POST", "/customers/{customer}/debts/{debt}/write-off"),
        stories=stories_of(visit, sales),
        explorer=explorer_of(visit),
        gifts=gifts_of(visit, customer.id),
        **_messages_of(visit, customer),
        pager=pager_of(visit.request, following),
        crumbs=[(customer.id, None)],
    )
