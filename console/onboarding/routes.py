"""Merchants: the list, each one's page, and how another one joins. What is missing of joining stands on the merchant's page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from console.asking import asked
from console.invitations import mail_of
from console.onboarding.forms import FirstAdmin, NewMerchant, NewProgram
from console.onboarding.view import STATES, TONES, joining_of
from console.problems import refusals
from console.rights import OPERATE, may, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = APIRouter()
_ROWS = 50


@router.get("")
async def merchants(visit: Visiting) -> Response:
    """All merchants, newest first."""
    page = await visit.client.merchants.list(page_size=_ROWS).page(cursor_of(visit.request))
    return visit.page(
        "onboarding/list.html",
        merchants=page.data,
        states=STATES,
        tones=TONES,
        pager=pager_of(visit.request, page.next_cursor),
        may_act=may(visit, OPERATE),
    )


@router.get("/new")
async def ask_new(visit: Visiting) -> Response:
    """The first step of joining."""
    return _new(visit, NewMerchant({"keeper": "managed"}))


@router.post("/new")
async def register(visit: Visiting) -> Response:
    """Registers a merchant; the other steps follow on its page."""
    form = await NewMerchant.read(visit.request)
    if form.is_valid:
        with refusals(form):
            made = await visit.client.merchants.create(**form.wanted, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(f"/merchants/{made.id}", _("The merchant is on its way to the chain."))
    return _new(visit, form)


@router.get("/{merchant}")
async def one(visit: Visiting, merchant: str) -> Response:
    """One merchant, and what is left to do until it takes part."""
    return await _one(visit, merchant)


@router.post("/{merchant}/programs")
async def add_program(visit: Visiting, merchant: str) -> Response:
    """Registers a program."""
    require(visit, OPERATE)
    form = await NewProgram.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.programs.create(merchant=merchant, **form.values, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(f"/merchants/{merchant}", _("The program is on its way to the chain."))
    return await _one(visit, merchant, program=form)


@router.post("/{merchant}/invitations")
async def invite(visit: Visiting, merchant: str) -> Response:
    """Asks to invite whoever comes first: by mail or, if the network sends none, with a code that is shown once."""
    require(visit, OPERATE)
    form = await FirstAdmin.read(visit.request)
    if form.is_valid:
        with refusals(form):
            made = await visit.client.invitations.request(
                **form.values, title="admin", merchant=merchant, idempotency_key=form.key
            )
        if form.is_valid:
            return asked(visit, made)
    return await _one(visit, merchant, admin=form)


@router.post("/{merchant}/invitations/{invitation}/revoke")
async def revoke(visit: Visiting, merchant: str, invitation: str) -> Response:
    """Takes an invitation back."""
    require(visit, OPERATE)
    form = await Form.read(visit.request)
    await visit.client.invitations.revoke(invitation, idempotency_key=form.key)
    return visit.redirect(f"/merchants/{merchant}", _("The invitation is taken back."))


async def _one(visit: Visit, merchant: str, **forms: Form) -> Response:
    found = await joining_of(visit, merchant)
    shown = {"program": NewProgram(), "admin": FirstAdmin({"language": "zh"}), "revoking": Form(), **forms}
    return visit.page(
        "onboarding/merchant.html",
        status=max(form.status for form in shown.values()),
        found=found,
        mail_of=mail_of,
        states=STATES,
        tones=TONES,
        may_act=may(visit, OPERATE),
        crumbs=[(found.merchant.name, None)],
        **shown,
    )


def _new(visit: Visit, form: NewMerchant) -> Response:
    require(visit, OPERATE)
    return visit.page("onboarding/new.html", status=form.status, form=form, crumbs=[(_("New merchant"), None)])
