"""What the programme knows of a customer: by what they are known, the birthday, consents; and signing out."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.profile.forms import Birthday, Consenting
from loyalty.customer_pages.profile.view import is_offered, purposes_of
from loyalty.customer_pages.visit import Visit, Visiting, page_router
from loyalty.customers.identifiers import masked
from loyalty.customers.service import CustomerService
from loyalty.joining.service import JoiningService
from loyalty.kit.errors import Malformed
from pages.forms import Form
from pages.translations import gettext as _

router = page_router("/profile")
_YES = "yes"


@router.get("")
def profile(visit: Visiting) -> Response:
    """What is known."""
    return _page(visit, Birthday())


@router.post("/birthday")
def set_birthday(visit: Visiting) -> Response:
    """Notes the birthday, once."""
    form = Birthday(sent=visit.sent)
    if form.is_valid:
        birthday = form.values["month"], form.values["day"]
        with visit.refusals(form):
            JoiningService(visit.session).set_birthday(visit.customer.id, birthday, actor=visit.actor)
        if form.is_valid:
            return visit.redirect("/profile", _("Your birthday is noted."))
    return _page(visit, form)


@router.post("/consents")
def consent(visit: Visiting) -> Response:
    """Notes that the customer agrees to a text, or no longer does. Raises Malformed for what the page does not offer."""
    form = Consenting(sent=visit.sent)
    purpose, version = form["purpose"].value, form["text_version"].value
    is_given = form["is_given"].value == _YES
    if not is_offered(visit, purpose, version, is_given=is_given):
        raise Malformed("unknown_consent", f"{purpose} {version} is offered no more", pointer="/text_version")
    JoiningService(visit.session).consent(
        visit.customer.id, purpose=purpose, text_version=version, is_given=is_given, actor=visit.actor
    )
    return visit.redirect(
        "/profile", _("You agree. You can withdraw it here at any time.") if is_given else _("It is withdrawn.")
    )


def _page(visit: Visit, form: Form) -> Response:
    customer = CustomerService(visit.session).get(visit.customer.id)
    return visit.page(
        "profile/profile.html",
        status=form.status,
        customer=customer,
        identifiers=[(one.kind, masked(one.value)) for one in CustomerService(visit.session).identifiers_of(customer)],
        purposes=purposes_of(visit),
        form=form,
        button=Form(),
    )
