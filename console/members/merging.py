"""Two members that are one person: a proposal says what would happen, and nothing happens before it is confirmed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.members.forms import MergeInto
from console.naming import member_address, reference_of, shown_name
from console.problems import refusals
from console.rights import NUMBER_MEMBERS, may, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Member, NotFoundError

router = APIRouter()


@router.get("/merges/{merge}")
async def show(visit: Visiting, merge: str) -> Response:
    """What a merge would do, or does."""
    return await _show(visit, merge, Form())


@router.post("/merges/{merge}/confirm")
async def confirm(visit: Visiting, merge: str) -> Response:
    """Merges, for good."""
    form = await Form.read(visit.request)
    with refusals(form):
        await visit.client.merges.confirm(merge, idempotency_key=form.key)
    if form.is_valid:
        return visit.redirect(f"/members/merges/{merge}", _("The members are one. Their points move now."))
    return await _show(visit, merge, form)


@router.post("/merges/{merge}/cancel")
async def cancel(visit: Visiting, merge: str) -> Response:
    """Takes the proposal back."""
    form = await Form.read(visit.request)
    with refusals(form):
        await visit.client.merges.cancel(merge, idempotency_key=form.key)
    if form.is_valid:
        return visit.redirect(f"/members/merges/{merge}")
    return await _show(visit, merge, form)


@router.get("/{member}/merge")
async def ask(visit: Visiting, member: str) -> Response:
    """Asks which member stays."""
    return await _ask(visit, member, MergeInto())


@router.post("/{member}/merge")
async def propose(visit: Visiting, member: str) -> Response:
    """Proposes the merge, and shows what it would do."""
    form = await MergeInto.read(visit.request)
    if form.is_valid:
        with refusals(form):
            merge = await visit.client.merges.create(
                member=member, into=reference_of(form.values["into"]), idempotency_key=form.key
            )
        if form.is_valid:
            return visit.redirect(f"/members/merges/{merge.id}")
    return await _ask(visit, member, form)


async def _ask(visit: Visit, reference: str, form: Form) -> Response:
    require(visit, NUMBER_MEMBERS)
    member = await visit.client.members.get(reference)
    crumbs = [(shown_name(member), member_address(member.id)), (_("Merge"), None)]
    return visit.page("members/ask_merge.html", form=form, member=member, status=form.status, crumbs=crumbs)


async def _show(visit: Visit, reference: str, form: Form) -> Response:
    merge = await visit.client.merges.get(reference)
    ending, staying = await _member(visit, merge.member), await _member(visit, merge.into)
    return visit.page(
        "members/merge.html",
        status=form.status,
        merge=merge,
        ending=ending,
        staying=staying,
        ending_name=shown_name(ending) if ending and merge.state == "proposed" else merge.member,
        staying_name=shown_name(staying) if staying else merge.into,
        form=form,
        may_decide=may(visit, NUMBER_MEMBERS) and visit.seat.merchant == merge.merchant,
        crumbs=[(_("Merge"), None)],
    )


async def _member(visit: Visit, reference: str) -> Member | None:
    try:
        return await visit.client.members.get(reference)
    except NotFoundError:
        return None
