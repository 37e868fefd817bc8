"""Signing in by a one-time code, and signing out. What is shown never tells whether a phone is a customer's."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import structlog
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from loyalty.customer_pages.registry import ROOT
from loyalty.customer_pages.signin.forms import AskCode, EnterCode
from loyalty.customer_pages.visit import Visit, Visiting, page_router
from loyalty.customer_sessions.service import GOOD_MINUTES, CustomerSessionService
from loyalty.customer_sessions.sign_in import CodeToSend, NoCode, SignInService, TooManyCodes, WrongCode
from loyalty.customers.identifiers import phone_of
from loyalty.customers.models import ChannelName
from loyalty.messages.channels import Channels
from loyalty.messages.templates import SIGN_IN_CODE, render
from loyalty.web.preferences import own_address
from pages.forms import Form
from pages.presentation import presentation
from pages.translations import lazy

router = page_router()
TOO_MANY: Final = lazy("Too many codes were asked for. Wait an hour, then try again.")
WRONG: Final = lazy("This is not the code. Look at the message that came last.")
OVER: Final = lazy("This code is good no more. Ask for a new one.")
log = structlog.get_logger(__name__)


@router.get("/sign-in")
def ask_phone(visit: Visiting) -> Response:
    """Asks for the phone."""
    if visit.signed_in is not None:
        return visit.redirect("/home")
    return _phone_page(visit, AskCode({"next": visit.request.query_params.get("next")}))


@router.post("/sign-in")
def ask_code(visit: Visiting) -> Response:
    """Makes a code. It is sent when this is written and answered, so neither the answer nor its time tells whether one is sent."""
    form = AskCode(sent=visit.sent)
    if form.is_valid:
        phone = ""
        with visit.refusals(form):
            phone = phone_of(form.values["phone"], visit.parts.settings.phone_prefix)
        if form.is_valid:
            try:
                to_send = sign_in_of(visit).ask(phone, browser=visit.secret, address=visit.address)
            except TooManyCodes:
                form.refuse(None, str(TOO_MANY))
            else:
                return sending(visit, visit.redirect(_with_next("/sign-in/code", form)), to_send)
    return _phone_page(visit, form)


@router.get("/sign-in/code")
def ask_digits(visit: Visiting) -> Response:
    """Asks for the code."""
    if visit.signed_in is not None:
        return visit.redirect("/home")
    return _code_page(visit, EnterCode({"next": visit.request.query_params.get("next")}))


@router.post("/sign-in/code")
def enter_code(visit: Visiting) -> Response:
    """Begins a session, and leads to where the customer was."""
    form = EnterCode(sent=visit.sent)
    if form.is_valid:
        try:
            device = visit.device
            secret = sign_in_of(visit).enter(form.values["code"], browser=visit.secret, device=device)
        except WrongCode:
            form.refuse("code", str(WRONG))
        except NoCode:
            asking = AskCode({"next": form.values["next"]})
            asking.refuse(None, str(OVER))
            return _phone_page(visit, asking)
        else:
            response = RedirectResponse(own_address(visit, form.values["next"]), 303)
            visit.parts.begin(response, secret)
            visit.parts.keep_device(response, device)
            return response
    return _code_page(visit, form)


@router.post("/sign-out")
def sign_out(visit: Visiting) -> Response:
    """Ends the session."""
    assert visit.signed_in is not None
    CustomerSessionService(visit.session, visit.parts.limits).end(visit.signed_in)
    return _out(visit)


@router.post("/sign-out/everywhere")
def sign_out_everywhere(visit: Visiting) -> Response:
    """Ends every session of the customer."""
    CustomerSessionService(visit.session, visit.parts.limits).end_all(visit.customer.id)
    return _out(visit)


def sending(visit: Visit, response: Response, to_send: CodeToSend | None) -> Response:
    """The response, after which a code is sent."""
    if to_send is not None:
        response.background = BackgroundTask(_send, visit.parts.channels, to_send, presentation().language)
    return response


def _send(channels: Channels, to_send: CodeToSend, language: str) -> None:
    text = render(SIGN_IN_CODE, language, {"code": to_send.code, "minutes": str(GOOD_MINUTES)})
    try:
        channels.send(ChannelName.SMS, to_send.phone, text)
    except Exception as error:  # noqa: BLE001 (whatever it says may have the phone or the code in it: nothing of it is logged)
        log.warning("a one-time code was not sent", error=type(error).__name__)


def _out(visit: Visit) -> Response:
    response = RedirectResponse(f"{ROOT}/sign-in", 303)
    visit.parts.end(response)
    return response


def sign_in_of(visit: Visit) -> SignInService:
    """One-time codes in the transaction of a request."""
    return SignInService(visit.session, visit.parts.settings.customer_key, visit.parts.limits)


def _with_next(below: str, form: Form) -> str:
    following = form.values["next"]
    return f"{below}?{urlencode({'next': following})}" if following else below


def _phone_page(visit: Visit, form: Form) -> Response:
    return visit.page("signin/phone.html", form=form, status=form.status)


def _code_page(visit: Visit, form: Form) -> Response:
    phone = sign_in_of(visit).asked(visit.secret)
    if phone is None:
        return visit.redirect("/sign-in")
    return visit.page("signin/code.html", form=form, phone=phone, minutes=GOOD_MINUTES, status=form.status)
