"""Keys of tills and other systems: made, shown once, revoked."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.pages.names import ROLE_NAMES
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.staff.models import Role
from loyalty.staff.service import KeyService
from pages.forms import Choice, Form, Text
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/keys")
_ROWS = 50
_ROLES = {role.value: name for role, name in ROLE_NAMES.items() if role is not Role.DEVICE}
"""A device gets its key when it is added."""


class NewKey(Form):
    """A key for a system."""

    name = Text(
        lazy("Name"), longest=80, hint=lazy("Which system it is for, such as till 3 of station S17"), focus=True
    )
    role = Choice(lazy("Role"), options=_ROLES, radio=True)


@router.get("")
def keys(visit: Visiting) -> Response:
    """Keys, newest first."""
    rows, following = KeyService(visit.session).page(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page("keys/list.html", rows=rows, pager=pager_of(visit.request, following))


@router.get("/new")
def ask_new(visit: Visiting) -> Response:
    """Which key is to be made."""
    return _new_page(visit, NewKey())


@router.post("/new")
def add(visit: Visiting) -> Response:
    """Makes a key, and shows its secret once."""
    form = NewKey(sent=visit.sent)
    if form.is_valid:
        role = Role(form.values["role"])
        key, secret = KeyService(visit.session).add(form.values["name"], role, actor=visit.actor)
        return visit.page("keys/secret.html", key=key, secret=secret, crumbs=[(key.name, None)])
    return _new_page(visit, form)


@router.get("/{key}/revoke")
def ask_revoke(visit: Visiting, key: str) -> Response:
    """Why a key is revoked."""
    return _revoke_page(visit, key, Because())


@router.post("/{key}/revoke")
def revoke(visit: Visiting, key: str) -> Response:
    """Ends a key at once."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            KeyService(visit.session).revoke(key, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect("/keys", _("The key is revoked."))
    return _revoke_page(visit, key, form)


def _new_page(visit: Visit, form: Form) -> Response:
    return visit.page("keys/new.html", form=form, status=form.status, crumbs=[(_("New key"), None)])


def _revoke_page(visit: Visit, key: str, form: Form) -> Response:
    found = KeyService(visit.session).get(key)
    return visit.page("keys/revoke.html", form=form, key=found, status=form.status, crumbs=[(found.name, None)])
