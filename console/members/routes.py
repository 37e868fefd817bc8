"""Members: the list, one member, and what can be done for it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from console.listing import found_of
from console.members.codes import router as codes
from console.members.erasing import router as erasing
from console.members.expiring import router as expiring
from console.members.forms import Freeze, NewMember, NewNumber, OldNumber
from console.members.merging import router as merging
from console.members.view import SHOWN_STATES, whole
from console.naming import ID_PREFIX, member_address, shown_name
from console.problems import refusals
from console.rights import KEEP_MEMBERS, MOVE_POINTS, NUMBER_MEMBERS, may, require
from console.visit import Visit, Visiting
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import pager_of
from pages.translations import gettext as _

router = APIRouter()
router.routes.extend(expiring.routes)  # first: they would look like members' ids
_ROWS = 50
_LONGEST = 64


@router.get("")
async def members(visit: Visiting) -> Response:
    """The list, newest first; searched, in the order of the numbers."""
    filters = read_filters(visit.request.query_params, choices={"state": SHOWN_STATES}, texts={"search": _LONGEST})
    search = filters["search"]
    if search.startswith(ID_PREFIX):
        return RedirectResponse(member_address(search), 303)
    # Addresses are for the network's people; a merchant's own numbers may begin in any way.
    by = "address" if visit.seat.merchant is None and search.lower().startswith("0x") else "prefix"
    asked: dict[str, Any] = {"state": filters.asked.get("state"), by: search or None}
    found = await found_of(
        visit.request,
        filters,
        lambda: visit.client.members.list(**asked, page_size=_ROWS),
        {"q": "search", "address": "search"},
    )
    return visit.page(
        "members/list.html",
        status=found.filters.status,
        members=found.rows,
        pager=found.pager,
        filters=found.filters,
        states=SHOWN_STATES.items(),
        may_number=may(visit, NUMBER_MEMBERS),
    )


@router.get("/new")
async def ask_new(visit: Visiting) -> Response:
    """Asks for a new member."""
    query = visit.request.query_params
    return _new(visit, NewMember({"external_id": query.get("number"), "member": query.get("member")}))


@router.post("/new")
async def register(visit: Visiting) -> Response:
    """Registers a member; with a link code, the one that another merchant knows."""
    form = await NewMember.read(visit.request)
    if form.is_valid:
        with refusals(form):
            member = await visit.client.members.create(
                external_id=form.values["external_id"],
                link_code=form.values["link_code"],
                member=form.values["member"],
                reissue=form.values["reissue"],
                idempotency_key=form.key,
            )
        if form.is_valid:
            return visit.redirect(member_address(member.id), _("The member is registered."))
    return _new(visit, form)


def _new(visit: Visit, form: Form) -> Response:
    require(visit, NUMBER_MEMBERS)
    crumbs = [(_("Register a member"), None)]
    return visit.page("members/new.html", form=form, status=form.status, crumbs=crumbs)


@router.get("/{member}")
async def one(visit: Visiting, member: str) -> Response:
    """One member."""
    return await _one(visit, member)


@router.post("/{member}/numbers")
async def add_number(visit: Visiting, member: str) -> Response:
    """Gives the member a further number."""
    form = await NewNumber.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.members.add_external_id(
                member, form.values["external_id"], reissue=form.values["reissue"], idempotency_key=form.key
            )
        if form.is_valid:
            return visit.redirect(member_address(member), _("The member has a further number."))
    return await _one(visit, member, numbers=form)


@router.post("/{member}/numbers/retire")
async def retire_number(visit: Visiting, member: str) -> Response:
    """Lets a number lead to the member no more."""
    form = await OldNumber.read(visit.request)
    if form.is_valid:
        with refusals(form):
            number = form.values["external_id"]
            await visit.client.members.retire_external_id(member, number, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(member_address(member), _("The number %(number)s is retired.") % {"number": number})
    return await _one(visit, member, retiring=form)


@router.post("/{member}/freeze")
async def freeze(visit: Visiting, member: str) -> Response:
    """Lets nobody take the member's points."""
    form = await Freeze.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.members.freeze(member, reason=form.values["reason"], idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(member_address(member), _("The member is frozen."))
    return await _one(visit, member, freezing=form)


@router.post("/{member}/unfreeze")
async def unfreeze(visit: Visiting, member: str) -> Response:
    """Takes the freeze back."""
    form = await Form.read(visit.request)
    await visit.client.members.unfreeze(member, idempotency_key=form.key)
    return visit.redirect(member_address(member), _("Your freeze is taken back."))


async def _one(visit: Visit, reference: str, **forms: Form) -> Response:
    found = await whole(visit, reference)
    asked = {"numbers": NewNumber(), "retiring": OldNumber(), "freezing": Freeze(), **forms}
    return visit.page(
        "members/member.html",
        status=max(form.status for form in asked.values()),
        whole=found,
        name=shown_name(found.member),
        pager=pager_of(visit.request, found.next_cursor),
        may_keep=may(visit, KEEP_MEMBERS),
        may_number=may(visit, NUMBER_MEMBERS),
        may_move=may(visit, MOVE_POINTS),
        is_frozen_by_us=visit.seat.merchant in found.is_frozen_by if visit.seat.merchant else bool(found.is_frozen_by),
        crumbs=[(shown_name(found.member), None)],
        plain=Form(),
        **asked,
    )


# As if they stood here: whoever looks for the routes of a page finds them all.
router.routes.extend([*merging.routes, *codes.routes, *erasing.routes])
