"""Signing in and out, and the first time by a link: password, then app, and nobody else ever knows either."""

from __future__ import annotations

from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from loyalty.pages.registry import ROOT
from loyalty.pages.signin.forms import FirstCode, NewPassword, SignIn
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.people.models import Person
from loyalty.people.second_factor import NewApp, SecondFactorService
from loyalty.people.service import PeopleService
from loyalty.people.sign_in import SessionService, TooManyFailures, WrongCredentials
from loyalty.web.preferences import own_address
from pages.forms import Form
from pages.translations import gettext as _

router = page_router()


# -------------------------------------------------------------------- signing in and out


@router.get("/sign-in")
def ask(visit: Visiting) -> Response:
    """Asks who it is."""
    if visit.signed_in is not None:
        return visit.redirect("/")
    return _sign_in_page(visit, SignIn({"next": visit.request.query_params.get("next")}))


@router.post("/sign-in")
def sign_in(visit: Visiting) -> Response:
    """Begins a session, and leads to where the person was."""
    form = SignIn(sent=visit.sent)
    if form.is_valid:
        values = form.values
        sessions = SessionService(visit.session, visit.parts.limits)
        try:
            secret = sessions.sign_in(
                values["login"],
                values["password"],
                values["code"],
                visit.parts.seal,
                address=visit.address,
                browser=visit.browser,
            )
        except TooManyFailures:
            form.refuse(None, _("Signing in has failed too often. Wait a quarter of an hour, then try again."))
        except WrongCredentials:
            form.refuse(None, _("Login, password or code is wrong. A code is good once: wait for the next one."))
        else:
            response = RedirectResponse(own_address(visit, values["next"]), 303)
            visit.parts.begin(response, secret)
            return response
    return _sign_in_page(visit, form)


@router.post("/sign-out")
def sign_out(visit: Visiting) -> Response:
    """Ends the session."""
    assert visit.signed_in is not None
    SessionService(visit.session, visit.parts.limits).end(visit.signed_in.session.id, visit.person)
    response = RedirectResponse(f"{ROOT}/sign-in", 303)
    visit.parts.end(response)
    return response


def _sign_in_page(visit: Visit, form: Form) -> Response:
    return visit.page("signin/sign_in.html", form=form, status=form.status)


# -------------------------------------------------------------------- the first time


@router.get("/join")
def ask_password(visit: Visiting) -> Response:
    """Asks whoever has a link for a password."""
    link = visit.request.query_params.get("link", "")
    person = PeopleService(visit.session).of_link(link)
    return _gone(visit) if person is None else _password_page(visit, person, NewPassword({"link": link}))


@router.post("/join")
def choose_password(visit: Visiting) -> Response:
    """Keeps the password, and shows what the app needs."""
    form = NewPassword(sent=visit.sent)
    people = PeopleService(visit.session)
    person = people.of_link(form["link"].value)
    if person is None:
        return _gone(visit)
    if form.is_valid:
        with visit.refusals(form):
            app = people.choose_password(person, form.values["password"], visit.parts.seal)
        if form.is_valid:
            return _app_page(visit, person, FirstCode({"link": form.values["link"]}), app)
    return _password_page(visit, person, form)


@router.post("/join/code")
def join(visit: Visiting) -> Response:
    """Takes the first code of the app, shows the recovery codes once, and signs the person in."""
    form = FirstCode(sent=visit.sent)
    people = PeopleService(visit.session)
    person = people.of_link(form["link"].value)
    if person is None or person.totp_secret is None:
        return _gone(visit)
    if form.is_valid:
        codes = people.join(person, form.values["code"], visit.parts.seal)
        if codes is not None:
            secret = SessionService(visit.session, visit.parts.limits).begin(
                person, address=visit.address, browser=visit.browser
            )
            response = visit.page("signin/recovery_codes.html", codes=codes, onward=f"{ROOT}/")
            visit.parts.begin(response, secret)
            return response
        form.refuse("code", _("This code is wrong, or was used before. Wait for the next code of your app."))
    return _app_page(visit, person, form, SecondFactorService(visit.session, visit.parts.seal).shown(person))


def _password_page(visit: Visit, person: Person, form: Form) -> Response:
    return visit.page("signin/join.html", form=form, somebody=person, status=form.status)


def _app_page(visit: Visit, person: Person, form: Form, app: NewApp) -> Response:
    picture = Markup(app.picture)  # noqa: S704 (we drew it)
    return visit.page("signin/app.html", form=form, somebody=person, app=app, picture=picture, status=form.status)


def _gone(visit: Visit) -> Response:
    return visit.page(
        "pages/problem.html",
        status=404,
        heading=_("This link leads nowhere"),
        text=_("It was used already, is too old, or a newer one has taken its place. Ask a manager for a new one."),
        ways=[(f"{ROOT}/sign-in", _("Sign in"))],
        picture="lock",
        original=None,
        passes=False,
    )
