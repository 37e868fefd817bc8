"""Where the links of mails lead: an invitation, and a new password for somebody who has forgotten the old one."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.problems import refusals
from console.sessions import Seat
from console.signin.begun import go_on_with
from console.signin.chosen_password import check_repetition, new_password, repetition
from console.signin.codes import code_field, codes_of
from console.visit import Anybody, Guest
from pages.forms import Email, Form, Hidden, Secret, Text
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import AuthenticationError, InvitationOffer

router = APIRouter()


class NewPassword(Form):
    """A password for somebody who has the link of a mail."""

    token = Hidden("")
    password = new_password(focus=True)
    again = repetition()

    def check(self) -> None:
        """Both must be the same."""
        check_repetition(self, "password")


class Join(NewPassword):
    """What somebody new says of itself."""

    name = Text(lazy("Your name"), autocomplete="name")


class JoinAgain(Form):
    """How somebody who is known shows who it is."""

    token = Hidden("")
    password = Secret(lazy("Password"), autocomplete="current-password", focus=True)
    one_time_code = code_field()


_CODE = Text(
    lazy("Code of the invitation"), longest=60, hint=lazy("Another person of the network has given it to you.")
)


class JoinWithCode(Join):
    """The same with the other half of an invitation, where no mail has brought its link."""

    code = _CODE


class JoinAgainWithCode(JoinAgain):
    """The same."""

    code = _CODE


def _form_of(offer: InvitationOffer) -> type[Form]:
    if offer.needs_code:
        return JoinAgainWithCode if offer.is_known else JoinWithCode
    return JoinAgain if offer.is_known else Join


class Forgotten(Form):
    """Whose password is forgotten."""

    email = Email(lazy("Email"), autocomplete="username", focus=True)


@router.get("/invitation")
async def show_invitation(guest: Anybody) -> Response:
    """Shows what the person is offered."""
    token = guest.request.query_params.get("token", "")
    offer = await guest.parts.client(None).invitations.look_up(token)
    begun = {"token": token} if offer.is_known else {"token": token, "name": offer.name}
    return _invited(guest, offer, _form_of(offer)(begun))


@router.post("/invitation")
async def accept_invitation(guest: Anybody) -> Response:
    """Accepts it, and signs the person in."""
    client, request = guest.parts.client(None), guest.request
    sent = (await request.form()).get("token")
    offer = await client.invitations.look_up(sent if isinstance(sent, str) else "")
    form = await _form_of(offer).read(request)
    if form.is_valid:
        try:
            with refusals(form):
                session = await client.invitations.accept(
                    form.values["token"],
                    password=form.values["password"],
                    code=form.values.get("code"),
                    name=None if offer.is_known else form.values["name"],
                    language=None if offer.is_known else offer.language,
                    **(codes_of(form.values["one_time_code"]) if offer.is_known else {}),
                    address=guest.address,
                    user_agent=request.headers.get("user-agent"),
                )
            if form.is_valid:
                return go_on_with(guest, session, "/")
        except AuthenticationError:
            form.refuse("password", _("The password or the one-time code is wrong."))
    return _invited(guest, offer, form)


@router.get("/forgotten-password")
async def ask_forgotten(guest: Anybody) -> Response:
    """Asks who has forgotten a password."""
    return _plain(guest, "forgotten", Forgotten())


@router.post("/forgotten-password")
async def forgotten(guest: Anybody) -> Response:
    """Has a mail sent, and says the same whether or not anybody has this address."""
    form = await Forgotten.read(guest.request)
    if form.is_valid:
        with refusals(form):
            await guest.parts.client(None).password_resets.request(form.values["email"], address=guest.address)
        if form.is_valid:
            message = _("If somebody here has this address, a mail with a link is on its way.")
            return guest.redirect("/sign-in", message)
    return _plain(guest, "forgotten", form)


@router.get("/new-password")
async def ask_new_password(guest: Anybody) -> Response:
    """Asks for the new password."""
    return _plain(guest, "new_password", NewPassword({"token": guest.request.query_params.get("token", "")}))


@router.post("/new-password")
async def choose_new_password(guest: Anybody) -> Response:
    """Takes the new password. All of the person's sessions end."""
    form = await NewPassword.read(guest.request)
    if form.is_valid:
        with refusals(form):
            await guest.parts.client(None).password_resets.perform(
                form.values["token"], password=form.values["password"]
            )
        if form.is_valid:
            return guest.redirect("/sign-in", _("The password is changed. Sign in with it."))
    return _plain(guest, "new_password", form)


def _invited(guest: Guest, offer: InvitationOffer, form: Form) -> Response:
    guest.keep_secret()
    seat = Seat("", offer.title, offer.title, offer.merchant)
    return guest.page("signin/invitation.html", form=form, offer=offer, role=seat.label, status=form.status)


def _plain(guest: Guest, name: str, form: Form) -> Response:
    guest.keep_secret()
    return guest.page(f"signin/{name}.html", form=form, status=form.status)
