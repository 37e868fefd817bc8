"""Forgetting a member who asks for it. A page says what that means; it asks for the number, and then once more."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.members.forms import Erase
from console.naming import member_address, shown_name
from console.problems import refusals
from console.rights import KEEP_MEMBERS, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Erasure, Member, NotFoundError

router = APIRouter()


@router.get("/{member}/erase")
async def ask(visit: Visiting, member: str) -> Response:
    """Says what an erasure does."""
    return await _ask(visit, await visit.client.members.get(member), Erase())


@router.post("/{member}/erase")
async def erase(visit: Visiting, member: str) -> Response:
    """Erases the member, for good."""
    try:
        found = await visit.client.members.get(member)
    except NotFoundError:  # also when the same form is sent again
        return visit.redirect("/members", _("There is no such member any more."), tone="warn")
    form = Erase(sent=await visit.request.form(), expected=(*found.external_ids, found.id))
    if form.is_valid:
        with refusals(form):
            erasure = await visit.client.members.erase(
                found.id, forfeit_points=form.values["forfeit_points"], idempotency_key=form.key
            )
        if form.is_valid:
            return visit.redirect("/members", _done(erasure, shown_name(found)))
    return await _ask(visit, found, form)


def _done(erasure: Erasure, name: str) -> str:
    if erasure.complete:
        return _("%(name)s is erased. Nobody in the network knows this member any more.") % {"name": name}
    return _("%(name)s is erased here. Other merchants still know this member.") % {"name": name}


async def _ask(visit: Visit, member: Member, form: Form) -> Response:
    require(visit, KEEP_MEMBERS)
    accounts = [one for one in await visit.client.members.accounts(member.id) if one.posted]
    return visit.page(
        "members/erase.html",
        status=form.status,
        form=form,
        member=member,
        name=shown_name(member),
        accounts=accounts,
        crumbs=[(shown_name(member), member_address(member.id)), (_("Erase"), None)],
    )
