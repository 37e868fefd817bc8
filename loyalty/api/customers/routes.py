"""Customers: they join, are known by cards, phones and plates, agree to things, and leave."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.customers.schemas import (
    AddressBody,
    AddressView,
    Birthday,
    ConsentBody,
    ConsentView,
    CustomerDetailView,
    CustomerView,
    Farewell,
    IdentifierBody,
    IdentifierView,
    LanguageBody,
    NewCustomer,
)
from loyalty.api.fields import Decision
from loyalty.customers.models import ChannelName, Customer, IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.joining.service import Joiner, JoiningService
from loyalty.kit.errors import Unknown
from loyalty.kit.paging import Page, shown

router = api("customers")


@router.get("/v1/customers")
def list_customers(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[CustomerView]:
    """Customers, newest first."""
    return shown(CustomerService(call.session).page(cursor=cursor, limit=limit), CustomerView.of)


@router.get("/v1/customers/lookup")
def look_up_customer(
    call: Calling, kind: IdentifierKind, value: Annotated[str, Query(min_length=1, max_length=80)]
) -> CustomerDetailView:
    """The customer who is known by a card, a phone or a plate."""
    customers = CustomerService(call.session)
    found = customers.known_by(Shown(kind, value))
    if found is None:
        raise Unknown("unknown_customer", f"nobody is known by this {kind}", parameter="value")
    return _whole(customers, customers.get(found))


@router.get("/v1/customers/{customer}")
def get_customer(call: Calling, customer: str) -> CustomerDetailView:
    """One customer."""
    customers = CustomerService(call.session)
    return _whole(customers, customers.get(customer))


@router.post("/v1/customers", status_code=201)
def add_customer(call: Calling, new: NewCustomer) -> CustomerDetailView:
    """Somebody joins."""
    joiner = Joiner(
        shown=[Shown(one.kind, one.value) for one in new.identifiers],
        birthday=None if new.birthday is None else (new.birthday.month, new.birthday.day),
        referral_code=new.referral_code,
        device=new.device,
    )
    joined = JoiningService(call.session).join(joiner, actor=call.actor)
    return _whole(CustomerService(call.session), joined)


@router.post("/v1/customers/{customer}/birthday")
def set_birthday(call: Calling, customer: str, birthday: Birthday) -> CustomerView:
    """Note a customer's birthday, once."""
    found = JoiningService(call.session).set_birthday(customer, (birthday.month, birthday.day), actor=call.actor)
    return CustomerView.of(found)


@router.post("/v1/customers/{customer}/identifiers", status_code=201)
def add_identifier(call: Calling, customer: str, new: IdentifierBody) -> IdentifierView:
    """Let a customer be known by one more card, phone or plate."""
    identifier = JoiningService(call.session).link(customer, Shown(new.kind, new.value), actor=call.actor)
    return IdentifierView.of(identifier)


@router.post("/v1/customers/{customer}/identifiers/{identifier}/remove")
def remove_identifier(call: Calling, customer: str, identifier: str, decision: Decision) -> IdentifierView:
    """Take a card, a phone or a plate from a customer."""
    customers = CustomerService(call.session)
    return IdentifierView.of(customers.unlink(customer, identifier, actor=call.actor, reason=decision.reason))


@router.post("/v1/customers/{customer}/language")
def set_language(call: Calling, customer: str, spoken: LanguageBody) -> CustomerView:
    """Say in which language a customer is told something."""
    return CustomerView.of(CustomerService(call.session).speak(customer, spoken.language, actor=call.actor))


@router.post("/v1/customers/{customer}/addresses")
def keep_address(call: Calling, customer: str, address: AddressBody) -> AddressView:
    """Note where a customer is reached by a channel, in the place of what was noted before."""
    customers = CustomerService(call.session)
    return AddressView.of(customers.reach(customer, address.channel, address.value, actor=call.actor))


@router.post("/v1/customers/{customer}/addresses/{channel}/remove")
def remove_address(call: Calling, customer: str, channel: ChannelName, decision: Decision) -> AddressView:
    """Forget where a customer is reached by a channel."""
    customers = CustomerService(call.session)
    return AddressView.of(customers.reach_no_more(customer, channel, actor=call.actor, reason=decision.reason))


@router.post("/v1/customers/{customer}/consents", status_code=201)
def note_consent(call: Calling, customer: str, consent: ConsentBody) -> ConsentView:
    """Note what a customer agrees to, or no longer does."""
    found = JoiningService(call.session).consent(customer, **consent.model_dump(), actor=call.actor)
    return ConsentView.of(found)


@router.post("/v1/customers/{customer}/erase")
def erase_customer(call: Calling, customer: str, farewell: Farewell) -> CustomerView:
    """Forget who a customer was. Sales stay, as somebody's whom nobody knows any more."""
    erased = CustomerService(call.session).erase(customer, actor=call.actor, reason=farewell.reason)
    return CustomerView.of(erased)


def _whole(customers: CustomerService, customer: Customer) -> CustomerDetailView:
    return CustomerDetailView.whole(
        customer, customers.identifiers_of(customer), customers.consents_of(customer), customers.addresses_of(customer)
    )
