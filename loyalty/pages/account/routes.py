"""One's own password, recovery codes and sessions."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.pages.signin.forms import Code, check_repetition
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.people.passwords import is_password
from loyalty.people.service import PeopleService
from loyalty.people.sign_in import SessionService
from pages.forms import Form, Secret
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/account")


class ChangePassword(Form):
    """Another password."""

    password = Secret(lazy("Present password"), autocomplete="current-password")
    new_password = Secret(lazy("New password"), autocomplete="new-password", hint=lazy("At least 12 characters."))
    again = Secret(lazy("The same again"), autocomplete="new-password")

    def check(self) -> None:
        """Both must be the same."""
        check_repetition(self, "new_password")


class NewCodes(Form):
    """That it is the person who sits there."""

    ids = "c-"
    code = Code(lazy("One-time code"), autocomplete="one-time-code", longest=40)


@router.get("")
def account(visit: Visiting) -> Response:
    """Who one is, and where one is signed in."""
    return _page(visit, ChangePassword(), NewCodes())


@router.post("/password")
def change_password(visit: Visiting) -> Response:
    """Changes the password. All other sessions end."""
    assert visit.signed_in is not None
    form = ChangePassword(sent=visit.sent)
    people = PeopleService(visit.session)
    person = people.get(visit.person.id)
    if form.is_valid and not is_password(form.values["password"], person.password_hash):
        form.refuse("password", _("This is not your password."))
    if form.is_valid:
        with visit.refusals(form):
            people.change_password(person, form.values["new_password"], but_session=visit.signed_in.session.id)
        if form.is_valid:
            return visit.redirect("/account", _("Your password is changed, and your other sessions have ended."))
    return _page(visit, form, NewCodes())


@router.post("/recovery-codes")
def renew_codes(visit: Visiting) -> Response:
    """Shows new recovery codes, once. The old ones are good for nothing any more."""
    form = NewCodes(sent=visit.sent)
    if form.is_valid:
        codes = PeopleService(visit.session).renew_codes(visit.person.id, form.values["code"], visit.parts.seal)
        if codes is not None:
            return visit.page("signin/recovery_codes.html", codes=codes, onward="/staff/account")
        form.refuse("code", _("This code is wrong, or was used before. Wait for the next code of your app."))
    return _page(visit, ChangePassword(), form)


@router.post("/sessions/{session}/end")
def end_session(visit: Visiting, session: str) -> Response:
    """Ends one of one's own sessions."""
    SessionService(visit.session, visit.parts.limits).end(session, visit.person)
    return visit.redirect("/account", _("The session has ended."))


def _page(visit: Visit, form: Form, codes: Form) -> Response:
    assert visit.signed_in is not None
    return visit.page(
        "account/account.html",
        status=max(form.status, codes.status),
        somebody=visit.person,
        form=form,
        codes_form=codes,
        button=Form(),
        own=visit.signed_in.session.id,
        sessions=SessionService(visit.session, visit.parts.limits).sessions_of(visit.person),
    )
