"""People: who works at a merchant or for the network, who is invited, and who may come in no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.asking import NEEDS_APPROVAL, Asking, asked
from console.invitations import mail_of
from console.listing import first_that
from console.people.forms import ChangeTitle, Invite, InviteToNetwork, understood
from console.people.view import Place, place_of, somebody
from console.problems import refusals
from console.titles import TITLES
from console.visit import NotYours, Visit, Visiting
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.presentation import presentation
from pages.translations import gettext as _
from tongdui import Invitation, Person, Seat, StaffMember

router = APIRouter()
_ROWS = 50
_INVITED = 100


@router.get("")
async def people(visit: Visiting) -> Response:
    """Everybody who has a seat, the newest first, and who is invited."""
    return await _list(visit, await place_of(visit), Form())


@router.get("/invite")
async def ask_invite(visit: Visiting) -> Response:
    """Whom to invite."""
    place = await place_of(visit)
    form = InviteToNetwork if place.is_network else Invite
    return _invite(visit, place, form({"language": presentation().language}, options={"title": place.titles}))


@router.post("/invite")
async def invite(visit: Visiting) -> Response:
    """Invites somebody: by mail or, if the network sends none, with a link that is shown once."""
    place = await place_of(visit)
    form = await (InviteToNetwork if place.is_network else Invite).read(visit.request, options={"title": place.titles})
    if form.is_valid:
        if place.is_network and form.values["title"] in NEEDS_APPROVAL:
            with refusals(form):
                approval = await visit.client.invitations.request(**form.values, idempotency_key=form.key)
            if form.is_valid:
                return asked(visit, approval)
        else:
            values = {name: value for name, value in form.values.items() if name != "reason"}
            with refusals(form):
                made = await visit.client.invitations.create(**values, idempotency_key=form.key)
            if form.is_valid:
                return _invited(visit, place, made)
    return _invite(visit, place, form)


@router.post("/invitations/{invitation}/resend")
async def resend(visit: Visiting, invitation: str) -> Response:
    """Invites somebody once more: a new link, good for seven days, takes the place of the old one."""
    place = await place_of(visit)
    form = await Form.read(visit.request)
    listing = visit.client.invitations.list(merchant=place.merchant, page_size=_INVITED)
    old = await first_that(listing, lambda one: one.id == invitation)
    if old is None:
        # It was accepted or taken back meanwhile, or this is sent for the second time: the new one stands in the list.
        return visit.redirect(place.address(), _("This invitation is open no more."), tone="warn")
    if form.is_valid:
        again = {"email": old.email, "name": old.name, "title": old.title, "language": old.language}
        if place.merchant is not None or old.title in NEEDS_APPROVAL:
            reason = _("The invitation is sent again.")
            with refusals(form):
                approval = await visit.client.invitations.request(
                    **again, merchant=place.merchant, reason=reason, idempotency_key=form.key
                )
            if form.is_valid:
                return asked(visit, approval)
        else:
            with refusals(form):
                made = await visit.client.invitations.create(**again, idempotency_key=form.key)
            if form.is_valid:
                return _invited(visit, place, made)
    return await _list(visit, place, form)


@router.post("/invitations/{invitation}/revoke")
async def revoke(visit: Visiting, invitation: str) -> Response:
    """Takes an invitation back."""
    place = await place_of(visit)
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.invitations.revoke(invitation, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(place.address(), _("The invitation is taken back."))
    return await _list(visit, place, form)


@router.get("/{seat}")
async def one(visit: Visiting, seat: str) -> Response:
    """Somebody on a seat."""
    place = await place_of(visit)
    return _one(visit, place, await somebody(visit, place, seat))


@router.post("/{seat}/title")
async def change_title(visit: Visiting, seat: str) -> Response:
    """Gives somebody another title."""
    place = await place_of(visit)
    form = await ChangeTitle.read(visit.request)
    found = await somebody(visit, place, seat)
    if form.is_valid:
        with refusals(form), understood(form):
            changed = await visit.client.staff.change_title(seat, form.values["title"], idempotency_key=form.key)
        if form.is_valid:
            title = TITLES.get(changed.seat.title, changed.seat.title)
            said = _("%(name)s is %(title)s from now on, and signs in again.")
            return visit.redirect(place.address(f"/{seat}"), said % {"name": changed.person.name, "title": title})
    return _one(visit, place, found, change=form)


@router.post("/{seat}/remove")
async def remove(visit: Visiting, seat: str) -> Response:
    """Takes the seat from somebody."""
    said = _("%(name)s has no seat here any more.")
    return await _done_to(visit, seat, lambda found: found.seat, visit.client.staff.remove_seat, said, onward="")


@router.post("/{seat}/disable")
async def disable(visit: Visiting, seat: str) -> Response:
    """Lets somebody in no more."""
    said = _("%(name)s is signed out everywhere, and cannot sign in any more.")
    return await _done_to(visit, seat, _person, visit.client.staff.disable, said)


@router.post("/{seat}/enable")
async def enable(visit: Visiting, seat: str) -> Response:
    """Lets somebody in again; of the network's own people, another person has to approve it."""
    place = await place_of(visit)
    if place.is_network and (await somebody(visit, place, seat)).seat.title in NEEDS_APPROVAL:
        return await _ask_enabling(visit, place, seat)
    return await _done_to(visit, seat, _person, visit.client.staff.enable, _("%(name)s may sign in again."))


async def _ask_enabling(visit: Visit, place: Place, seat: str) -> Response:
    form = await Asking.read(visit.request)
    found = await somebody(visit, place, seat)
    if form.is_valid:
        with refusals(form), understood(form):
            approval = await visit.client.staff.request_enabling(
                found.person, reason=form.values["reason"], idempotency_key=form.key
            )
        if form.is_valid:
            return asked(visit, approval)
    return _one(visit, place, found, asking=form)


@router.post("/{seat}/sign-out")
async def sign_out(visit: Visiting, seat: str) -> Response:
    """Ends somebody's sessions."""
    said = _("%(name)s is signed out, and has to sign in again.")
    return await _done_to(visit, seat, _person, visit.client.staff.sign_out, said)


def _person(found: StaffMember) -> Person:
    return found.person


async def _done_to(
    visit: Visit,
    seat: str,
    whom: Callable[[StaffMember], Person | Seat],
    act: Callable[..., Awaitable[Any]],
    said: str,
    onward: str | None = None,
) -> Response:
    """Does to somebody's seat, or to the person on it, what no form asks anything for. `onward` is below all people; by default it
    is the person's page."""
    place = await place_of(visit)
    form = await Form.read(visit.request)
    found = await somebody(visit, place, seat)
    if form.is_valid:
        with refusals(form), understood(form):
            await act(whom(found), idempotency_key=form.key)
        if form.is_valid:
            address = place.address(f"/{seat}" if onward is None else onward)
            return visit.redirect(address, said % {"name": found.person.name})
    return _one(visit, place, found, general=form)


async def _list(visit: Visit, place: Place, form: Form) -> Response:
    cursor = cursor_of(visit.request)
    page, invited = await asyncio.gather(
        visit.client.staff.list(merchant=place.merchant, page_size=_ROWS).page(cursor),
        visit.client.invitations.list(merchant=place.merchant, page_size=_INVITED).page(),
    )
    return visit.page(
        "people/list.html",
        status=form.status,
        place=place,
        rows=page.data,
        invitations=[(one, mail_of(one)) for one in invited.data],
        titles=TITLES,
        pager=pager_of(visit.request, page.next_cursor),
        form=form,
    )


def _one(visit: Visit, place: Place, found: StaffMember, **forms: Form) -> Response:
    shown = {"change": ChangeTitle({"title": found.seat.title}), "general": Form(), "asking": Asking(), **forms}
    return visit.page(
        "people/person.html",
        status=max(form.status for form in shown.values()),
        place=place,
        found=found,
        needs_approval=place.is_network and found.seat.title in NEEDS_APPROVAL,
        titles=TITLES,
        is_oneself=found.person.id == visit.person.id,
        crumbs=[*_way(place), (found.person.name, None)],
        **shown,
    )


def _invite(visit: Visit, place: Place, form: Invite) -> Response:
    if not place.may_manage:
        raise NotYours
    crumbs = [*_way(place), (_("Invite"), None)]
    return visit.page("people/invite.html", status=form.status, form=form, place=place, crumbs=crumbs)


def _invited(visit: Visit, place: Place, made: Invitation) -> Response:
    """Shows the link; without one, the mail brings it."""
    if made.link is None:
        told = _("%(email)s is invited. The link comes by mail, unless it was shown to you before.")
        return visit.redirect(place.address(), told % {"email": made.email})
    crumbs = [*_way(place), (_("Invitation"), None)]
    return visit.page(
        "console/invited.html",
        invitation=made,
        subtitle=place.name,
        onward=(place.address(), _("To all people")),
        crumbs=crumbs,
    )


def _way(place: Place) -> list[tuple[str, str | None]]:
    return [(place.name, place.address())] if place.name else []
