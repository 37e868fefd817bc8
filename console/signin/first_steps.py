"""A person's own password and second factor. Some sessions are good for nothing else before one of them is done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from markupsafe import Markup

from console.problems import refusals
from console.signin.begun import go_on_with, take, work_for
from console.signin.chosen_password import check_repetition, new_password, repetition
from console.signin.codes import Code
from console.visit import FIRST_STEPS, Anybody, Guest, SignInNeeded
from pages.forms import Form, Secret
from pages.translations import gettext as _
from pages.translations import lazy

router = APIRouter()


class ChangePassword(Form):
    """Another password."""

    password = Secret(lazy("Present password"), autocomplete="current-password", focus=True)
    new_password = new_password()
    again = repetition()

    def check(self) -> None:
        """Both must be the same."""
        check_repetition(self, "new_password")


class BeginSecondFactor(Form):
    """Whether it is the person who sits there."""

    password = Secret(lazy("Present password"), autocomplete="current-password", focus=True)


class ConfirmSecondFactor(Form):
    """The first code of the app."""

    one_time_code = Code(lazy("One-time code"), autocomplete="one-time-code", focus=True)


@router.get(FIRST_STEPS["password_change"])
async def ask_password(guest: Anybody) -> Response:
    """Asks for the old and the new password."""
    return _page(guest, "password", ChangePassword())


@router.post(FIRST_STEPS["password_change"])
async def change_password(guest: Anybody) -> Response:
    """Changes the password. The session goes on with another token, and all others end."""
    _require_session(guest)
    form = await ChangePassword.read(guest.request)
    if form.is_valid:
        with refusals(form):
            session = await guest.client.profile.change_password(
                password=form.values["password"], new_password=form.values["new_password"]
            )
        if form.is_valid:
            return go_on_with(guest, session, _onward(guest), _("Your password is changed."))
    return _page(guest, "password", form)


@router.get(FIRST_STEPS["second_factor"])
async def ask_second_factor(guest: Anybody) -> Response:
    """Asks for the password before it shows the secret of an app."""
    return _page(guest, "second_factor", BeginSecondFactor())


@router.post(FIRST_STEPS["second_factor"])
async def begin_second_factor(guest: Anybody) -> Response:
    """Shows what an app of one-time codes needs."""
    _require_session(guest)
    form = await BeginSecondFactor.read(guest.request)
    if form.is_valid:
        with refusals(form):
            app = await guest.client.profile.begin_totp(password=form.values["password"])
        if form.is_valid:
            picture = Markup(app.qr_svg)  # noqa: S704 (the gateway drew it)
            return _page(guest, "second_factor_app", ConfirmSecondFactor(), secret=app.secret, picture=picture)
    return _page(guest, "second_factor", form)


@router.post("/second-factor/confirm")
async def confirm_second_factor(guest: Anybody) -> Response:
    """Turns the second factor on, and shows the recovery codes once."""
    _require_session(guest)
    form = await ConfirmSecondFactor.read(guest.request)
    if form.is_valid:
        with refusals(form):
            done = await guest.client.profile.confirm_totp(one_time_code=form.values["one_time_code"])
        if form.is_valid:
            onward = _onward(guest)
            work_for(guest, done.session)
            response = _page(guest, "recovery_codes", form, codes=done.recovery_codes, onward=onward)
            take(guest, done.session, response)
            return response
    return _page(guest, "second_factor_app", form, secret=None)


def _onward(guest: Guest) -> str:
    """Where the person was going: to its account, unless the session was good for nothing else."""
    return "/" if guest.session is None or guest.session.restriction is not None else "/account"


def _require_session(guest: Guest) -> None:
    if guest.session is None:
        raise SignInNeeded


def _page(guest: Guest, name: str, form: Form, **context: Any) -> Response:
    _require_session(guest)
    return guest.page(f"signin/{name}.html", form=form, status=form.status, **context)
