"""People: who works here, who is invited, and who is let in no more."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi.responses import Response

from loyalty.pages.names import ROLE_NAMES
from loyalty.pages.reasons import Because
from loyalty.pages.registry import ROOT
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.people.models import Person
from loyalty.people.service import LINK_DAYS, ROLES, PeopleService
from loyalty.staff.models import Role
from pages.forms import Choice, Form, Text
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/people")
_ROWS = 50
_ROLES = {role.value: ROLE_NAMES[role] for role in ROLES}


class Invite(Form):
    """Somebody who is to work here."""

    name = Text(lazy("Person's name"), longest=80, focus=True)
    login = Text(lazy("Login"), longest=40, hint=lazy("Small letters and digits, such as lin.lan"))
    role = Choice(lazy("Role"), options=_ROLES, radio=True)


class NewRole(Because):
    """What somebody is from now on."""

    ids = "r-"
    role = Choice(lazy("New role"), options=_ROLES)


class Again(Because):
    """Why somebody needs a new link."""

    ids = "a-"


class End(Because):
    """Why somebody is let in no more."""

    ids = "e-"


@router.get("")
def people(visit: Visiting) -> Response:
    """Everybody, the newest first."""
    rows, following = PeopleService(visit.session).page(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page("people/list.html", rows=rows, pager=pager_of(visit.request, following))


@router.get("/invite")
def ask_invite(visit: Visiting) -> Response:
    """Whom to invite."""
    return _invite_page(visit, Invite())


@router.post("/invite")
def invite(visit: Visiting) -> Response:
    """Invites somebody, and shows the link once."""
    form = Invite(sent=visit.sent)
    if form.is_valid:
        values = form.values
        with visit.refusals(form):
            person, link = PeopleService(visit.session).invite(
                values["login"], values["name"], Role(values["role"]), actor=visit.actor
            )
        if form.is_valid:
            return _link_page(visit, person, link)
    return _invite_page(visit, form)


@router.get("/{person}")
def one(visit: Visiting, person: str) -> Response:
    """One person."""
    return _one_page(visit, PeopleService(visit.session).get(person))


@router.post("/{person}/role")
def change_role(visit: Visiting, person: str) -> Response:
    """Lets somebody do something else from now on."""
    form, people = NewRole(sent=visit.sent), PeopleService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            values = form.values
            people.change_role(person, Role(values["role"]), actor=visit.actor, reason=values["reason"])
        if form.is_valid:
            return visit.redirect(f"/people/{person}", _("The role is changed."))
    return _one_page(visit, people.get(person), role=form)


@router.post("/{person}/invite-again")
def invite_again(visit: Visiting, person: str) -> Response:
    """Gives somebody a new link, in the place of password and app."""
    form, people = Again(sent=visit.sent), PeopleService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            again, link = people.invite_again(person, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return _link_page(visit, again, link)
    return _one_page(visit, people.get(person), again=form)


@router.post("/{person}/end")
def end(visit: Visiting, person: str) -> Response:
    """Lets somebody in no more."""
    form, people = End(sent=visit.sent), PeopleService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            people.end(person, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/people/{person}", _("The person is let in no more."))
    return _one_page(visit, people.get(person), end=form)


def _invite_page(visit: Visit, form: Form) -> Response:
    return visit.page("people/invite.html", form=form, status=form.status, crumbs=[(_("Invite somebody"), None)])


def _link_page(visit: Visit, person: Person, link: str) -> Response:
    address = f"{visit.parts.settings.origin}{ROOT}/join?{urlencode({'link': link})}"
    return visit.page("people/link.html", somebody=person, link=address, days=LINK_DAYS, crumbs=[(person.name, None)])


def _one_page(
    visit: Visit, person: Person, *, role: Form | None = None, again: Form | None = None, end: Form | None = None
) -> Response:
    forms = {
        "role": role or NewRole({"role": person.role.value}),
        "again": again or Again(),
        "end": end or End(),
    }
    return visit.page(
        "people/one.html",
        somebody=person,
        forms=forms,
        is_self=person.id == visit.person.id,
        may_change=visit.may("POST", "/people/{person}/role") and person.ended_at is None,
        status=max(form.status for form in forms.values()),
        crumbs=[(person.name, None)],
    )
