"""Agreements: the list, one of them, and what the merchant does with it."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import Response

from console.agreements import ending, proposing, replacing
from console.agreements.forms import Confirm, Signature
from console.agreements.view import (
    HAPPENED,
    KINDS,
    SIDES,
    STATES,
    Detail,
    detail,
    names_in,
    rate_graph,
    sentences_of,
    shown,
)
from console.listing import found_of
from console.merchants import merchant_names
from console.problems import refusals
from console.rights import AGREE, may
from console.visit import Visit, Visiting
from pages.filters import read_filters
from pages.forms import Form
from pages.translations import gettext as _

router = APIRouter()
_PAGE = 25
_LONGEST_CODE = 12


@router.get("")
async def list_agreements(visit: Visiting) -> Response:
    """All agreements, newest first."""
    filters = read_filters(
        visit.request.query_params, choices={"state": STATES, "kind": KINDS}, texts={"program": _LONGEST_CODE}
    )
    wanted = {**filters.asked, "program": filters["program"].upper() or None}
    found = await found_of(
        visit.request, filters, lambda: visit.client.agreements.list(**wanted, expand=SIDES, page_size=_PAGE)
    )
    names = names_in(found.rows)
    return visit.page(
        "agreements/agreements.html",
        status=found.filters.status,
        rows=[shown(visit, one, names) for one in found.rows],
        states=STATES,
        kinds=KINDS,
        filters=found.filters,
        may_act=may(visit, AGREE),
        pager=found.pager,
    )


@router.get("/rates")
async def rates(visit: Visiting) -> Response:
    """The rates as a graph."""
    found, names = await asyncio.gather(visit.client.agreements.rates(), merchant_names(visit))
    graph = rate_graph(found, names)
    return visit.page("agreements/rates.html", rates=found, graph=graph, names=names, crumbs=[(_("Rates"), None)])


router.get("/new")(proposing.new)
router.post("/new")(proposing.propose)
router.post("/preview")(proposing.preview)


@router.get("/preview")
async def begin_anew(visit: Visiting) -> Response:
    """What the calculator answers is no page: it stands beside a proposal."""
    return visit.redirect("/agreements/new")


@router.get("/{agreement}")
async def show(visit: Visiting, agreement: str) -> Response:
    """One agreement."""
    return _page(visit, await detail(visit, agreement), Signature())


@router.post("/{agreement}/sign")
async def sign(visit: Visiting, agreement: str) -> Response:
    """Signs it: with the key that the gateway keeps, or with a signature that was made elsewhere."""
    found = await detail(visit, agreement)
    form: Form = await (Signature if found.keeps_own_key else Confirm).read(visit.request)
    if form.is_valid:
        with refusals(form):
            signed = await visit.client.agreements.sign(
                agreement, signature=form.values.get("signature"), idempotency_key=form.key
            )
        if form.is_valid:
            told = (
                _("Both sides have signed: it goes to the chain.")
                if len(signed.signed_by) == 2
                else _("You have signed.")
            )
            return visit.redirect(f"/agreements/{agreement}", told)
    return _page(visit, found, form)


@router.post("/{agreement}/withdraw")
async def withdraw(visit: Visiting, agreement: str) -> Response:
    """Withdraws a proposal of one's own, or declines one of the other side."""
    form = await Confirm.read(visit.request)
    if form.is_valid:
        with refusals(form):
            ended = await visit.client.agreements.withdraw(agreement, idempotency_key=form.key)
        if form.is_valid:
            told = _("The proposal is withdrawn.") if ended.state == "withdrawn" else _("The proposal is declined.")
            return visit.redirect(f"/agreements/{agreement}", told)
    return _page(visit, await detail(visit, agreement), form)


router.get("/{agreement}/supersede")(replacing.new_version)
router.post("/{agreement}/supersede")(replacing.supersede)
router.get("/{agreement}/terminate")(ending.ask)
router.post("/{agreement}/terminate")(ending.terminate)


def _page(visit: Visit, found: Detail, form: Form) -> Response:
    return visit.page(
        "agreements/agreement.html",
        detail=found,
        one=found.shown,
        agreement=found.shown.agreement,
        form=form,
        happened=HAPPENED,
        kinds=KINDS,
        said=sentences_of(found.shown, 1_000),
        gateway_url=str(visit.parts.settings.gateway_url),
        status=form.status,
        crumbs=[(found.shown.title, None)],
    )
