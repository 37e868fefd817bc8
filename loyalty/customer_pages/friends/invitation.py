"""What a friend sees who opens the link: how to join, with a phone and a one-time code. It tells nobody whose the link is, and not
whether a phone is a customer's."""

from __future__ import annotations

from typing import Any

from fastapi.responses import RedirectResponse, Response

from loyalty.customer_pages.registry import ROOT
from loyalty.customer_pages.signin.forms import AskInvited, Join
from loyalty.customer_pages.signin.routes import OVER, TOO_MANY, WRONG, sending, sign_in_of
from loyalty.customer_pages.visit import Visit, Visiting, page_router
from loyalty.customer_sessions.service import GOOD_MINUTES
from loyalty.customer_sessions.sign_in import NoCode, TooManyCodes, WrongCode
from loyalty.customers.identifiers import phone_of
from loyalty.joining.invitations import InvitationService
from loyalty.kit.errors import Refusal, Unknown
from loyalty.referrals.service import ReferralService
from pages.forms import Form
from pages.presentation import presentation
from pages.translations import gettext as _

router = page_router("/invitation")


@router.get("/{code}")
def invitation(visit: Visiting, code: str) -> Response:
    """Invites. Raises Unknown if nobody hands the code on."""
    return _page(visit, _known(visit, code), Form() if visit.signed_in else AskInvited())


@router.post("/{code}")
def answer(visit: Visiting, code: str) -> Response:
    """Sends a code to whoever wants to join; notes who brought somebody who has signed in. Raises Unknown."""
    known = _known(visit, code)
    if visit.signed_in is not None:
        refusal = InvitationService(visit.session).refer(known, visit.customer.id, device=visit.device)
        return visit.redirect("/home", _told(visit, refusal, is_new=False))
    form = AskInvited(sent=visit.sent)
    if form.is_valid:
        phone = ""
        with visit.refusals(form):
            phone = phone_of(form.values["phone"], visit.parts.settings.phone_prefix)
        if form.is_valid:
            try:
                asked = sign_in_of(visit).ask(phone, browser=visit.secret, address=visit.address, is_invited=True)
            except TooManyCodes:
                form.refuse(None, str(TOO_MANY))
            else:
                return sending(visit, visit.redirect(f"/invitation/{known}/join"), asked)
    return _page(visit, known, form)


@router.get("/{code}/join")
def ask_digits(visit: Visiting, code: str) -> Response:
    """Asks for the code that was sent, and for consents. Raises Unknown."""
    return _join_page(visit, _known(visit, code), Join(options=_consents(visit)))


@router.post("/{code}/join")
def join(visit: Visiting, code: str) -> Response:
    """Has the newcomer take part, signed in, and notes who brought them. Raises Unknown."""
    known = _known(visit, code)
    form = Join(options=_consents(visit), sent=visit.sent)
    if form.is_valid:
        try:
            phone = sign_in_of(visit).prove(form.values["code"], browser=visit.secret)
        except WrongCode:
            form.refuse("code", str(WRONG))
        except NoCode:
            asking = AskInvited()
            asking.refuse(None, str(OVER))
            return _page(visit, known, asking)
        else:
            return _accepted(visit, known, phone, form)
    return _join_page(visit, known, form)


def _accepted(visit: Visit, code: str, phone: str, form: Form) -> Response:
    versions = {one.purpose: one.version for one in visit.parts.consents}
    device = visit.device
    consents = [(purpose, versions[purpose]) for purpose in form.values["consents"]]
    accepted = InvitationService(visit.session).accept(code, phone, device=device, consents=consents)
    secret = sign_in_of(visit).begin(phone)
    visit.secret = secret  # what the next page is told is for the new session
    response = visit.redirect("/home", _told(visit, accepted.refusal, is_new=accepted.is_new))
    visit.parts.begin(response, secret)
    visit.parts.keep_device(response, device)
    return response


def _told(visit: Visit, refusal: Refusal | None, *, is_new: bool) -> str:
    """What became of the invitation, in words."""
    welcome = _("Welcome! You take part from now on.") + " " if is_new else ""
    if refusal is None:
        return welcome + _("Your first visit brings points for you and your friend.")
    return welcome + _("The invitation does not count: %(why)s") % {"why": visit.parts.sentence_of(refusal)}


def _known(visit: Visit, code: str) -> str:
    """The code in its one form. Raises Unknown if nobody hands it on."""
    if not ReferralService(visit.session).is_code(code):
        raise Unknown("unknown_referral_code", "nobody has this code: ask your friend for it again")
    return code.strip().upper()


def _consents(visit: Visit) -> dict[str, Any]:
    language = presentation().language
    return {"consents": [(one.purpose, getattr(one.text, language)) for one in visit.parts.consents]}


def _page(visit: Visit, code: str, form: Form) -> Response:
    scheme = ReferralService(visit.session).in_force()
    is_in = visit.signed_in is not None
    return visit.page("friends/invitation.html", status=form.status, code=code, scheme=scheme, form=form, is_in=is_in)


def _join_page(visit: Visit, code: str, form: Form) -> Response:
    phone = sign_in_of(visit).asked(visit.secret)
    if phone is None or visit.signed_in is not None:
        return RedirectResponse(f"{ROOT}/invitation/{code}", 303)
    return visit.page("friends/join.html", form=form, code=code, phone=phone, minutes=GOOD_MINUTES, status=form.status)
