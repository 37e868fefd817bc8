"""Settlement: positions, statements, deposits and withdrawals; the treasury's bookings and the operator's credit limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.approvals.view import waiting_for
from console.asking import asked
from console.events import events_of
from console.liquidity import liquidity_of
from console.listing import found_of
from console.merchants import merchant_names
from console.problems import refusals
from console.rights import DECIDE, OPERATE, SEE_ALL_MONEY, may, require
from console.settlement import banking
from console.settlement.booking import book, new_booking
from console.settlement.forms import CreditLimit
from console.settlement.view import (
    KINDS,
    STATES,
    TONES,
    names_for,
    standing_of,
)
from console.visit import Visit, Visiting
from pages.filters import Filters, read_filters
from pages.paging import CURSOR, address_with, cursor_of, pager_of
from pages.translations import gettext as _
from tongdui.bank import LONGEST_REFERENCE

router = APIRouter()
_PAGE = 25
_STATEMENTS = "/settlement/statements"


@router.get("")
async def overview(visit: Visiting) -> Response:
    """A merchant's own money; for the network's people, everybody's."""
    if visit.seat.merchant is not None:
        return await _merchant(visit, visit.merchant)
    page, names, waiting = await asyncio.gather(
        visit.client.positions.list(page_size=_PAGE).page(cursor_of(visit.request)),
        merchant_names(visit),
        waiting_for(visit),
    )
    return visit.page(
        "settlement/positions.html",
        rows=[(one, names.get(one.merchant, one.merchant), liquidity_of(one).tone) for one in page.data],
        pager=pager_of(visit.request, page.next_cursor),
        waiting=waiting if may(visit, DECIDE) else 0,
    )


@router.get("/merchants/{merchant}")
async def one_merchant(visit: Visiting, merchant: str) -> Response:
    """One merchant's money, for the network's people."""
    require(visit, SEE_ALL_MONEY)
    return await _merchant(visit, merchant)


@router.post("/merchants/{merchant}/credit-limit")
async def set_credit_limit(visit: Visiting, merchant: str) -> Response:
    """Asks for another credit limit."""
    require(visit, OPERATE)
    form = await CreditLimit.read(visit.request)
    if form.is_valid:
        with refusals(form):
            micros, reason = form.values["credit_limit_micros"], form.values["reason"]
            made = await visit.client.merchants.set_credit_limit(
                merchant, micros, reason=reason, idempotency_key=form.key
            )
        if form.is_valid:
            return asked(visit, made)
    return await _merchant(visit, merchant, form)


@router.get("/statements")
async def statements(visit: Visiting) -> Response:
    """Daily statements, the last day first."""
    names = await names_for(visit)
    filters = read_filters(visit.request.query_params, choices=_offered(names), days=True)
    found = await found_of(
        visit.request, filters, lambda: visit.client.statements.list(**_statements(filters), page_size=_PAGE)
    )
    return visit.page(
        "settlement/statements.html",
        status=found.filters.status,
        rows=found.rows,
        names=names,
        filters=found.filters,
        csv=address_with(visit.request, {CURSOR: None}, f"{_STATEMENTS}/csv"),
        pager=found.pager,
        crumbs=[(_("Statements"), None)],
    )


@router.get("/statements/csv")
async def statements_csv(visit: Visiting) -> Response:
    """The same as a table."""
    filters = read_filters(visit.request.query_params, choices=_offered(await names_for(visit)), days=True)
    if filters.mistakes:
        return visit.redirect(address_with(visit.request, {}, _STATEMENTS))
    return _csv(await visit.client.statements.csv_of_days(**_statements(filters)), "statements.csv")


@router.get("/statements/{statement}")
async def one_statement(visit: Visiting, statement: str) -> Response:
    """One statement, line by line."""
    found, names = await asyncio.gather(visit.client.statements.get(statement), names_for(visit))
    crumbs = [(_("Statements"), _STATEMENTS), (found.day.isoformat(), None)]
    return visit.page("settlement/statement.html", one=found, names=names, crumbs=crumbs)


@router.get("/statements/{statement}/csv")
async def one_statement_csv(visit: Visiting, statement: str) -> Response:
    """One statement as a table."""
    return _csv(await visit.client.statements.csv(statement), f"{statement}.csv")


router.get("/bank-file")(banking.ask)
router.post("/bank-file")(banking.upload)
router.post("/bank-file/review")(banking.review)
router.post("/bank-file/book")(banking.book)


@router.get("/bank-file/review")
@router.get("/bank-file/book")
async def begin_anew(visit: Visiting) -> Response:
    """Somebody opens, by its address, what a form has answered: it begins with the file."""
    return visit.redirect("/settlement/bank-file")


@router.get("/{movements}")
async def bank_movements(visit: Visiting, movements: str) -> Response:
    """Deposits or withdrawals, newest first."""
    resource = banking.resource_of(visit.client, banking.kind_of(movements))
    names = await names_for(visit)
    filters = read_filters(
        visit.request.query_params,
        choices={"state": STATES, **_offered(names)},
        texts={"reference": LONGEST_REFERENCE},
        days=True,
    )
    found = await found_of(
        visit.request,
        filters,
        lambda: resource.list(**_bank_movements(filters), page_size=_PAGE),
        {"bank_reference": "reference"},
    )
    return visit.page(
        "settlement/bank_movements.html",
        status=found.filters.status,
        rows=found.rows,
        names=names,
        states=STATES,
        tones=TONES,
        movements=movements,
        kind=KINDS[movements],
        filters=found.filters,
        pager=found.pager,
        crumbs=[(banking.title_of(movements), None)],
    )


router.get("/{movements}/new")(new_booking)
router.post("/{movements}/new")(book)


@router.get("/{movements}/{movement}")
async def bank_movement(visit: Visiting, movements: str, movement: str) -> Response:
    """One deposit or withdrawal."""
    client = visit.client
    found, events = await asyncio.gather(
        banking.resource_of(client, banking.kind_of(movements)).get(movement),
        events_of(visit, movement),
    )
    merchant = await client.merchants.get(found.merchant)
    return visit.page(
        "settlement/bank_movement.html",
        one=found,
        merchant=merchant,
        events=events,
        states=STATES,
        tones=TONES,
        movements=movements,
        kind=KINDS[movements],
        crumbs=[(banking.title_of(movements), f"/settlement/{movements}"), (found.bank_reference, None)],
    )


async def _merchant(visit: Visit, merchant: str, form: CreditLimit | None = None) -> Response:
    found = await standing_of(visit, merchant)
    shown = form or CreditLimit({"credit_limit_micros": found.position.credit_limit_micros})
    own = visit.seat.merchant is not None
    return visit.page(
        "settlement/merchant.html",
        found=found,
        form=shown if may(visit, OPERATE) else None,
        own=own,
        states=STATES,
        tones=TONES,
        status=shown.status,
        crumbs=[] if own else [(found.merchant.name, None)],
    )


def _offered(names: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """The filter by merchant, for whoever has more than one to choose from."""
    return {"merchant": names} if names else {}


def _statements(filters: Filters) -> dict[str, Any]:
    """The filters of a list of statements, as the SDK takes them."""
    return {**filters.asked, "first_day": filters.first_day, "end_day": filters.end_day}


def _bank_movements(filters: Filters) -> dict[str, Any]:
    """The filters of a list of deposits or withdrawals, as the SDK takes them."""
    asked: dict[str, Any] = {**filters.asked, **filters.moments}
    if reference := asked.pop("reference", None):
        asked["bank_references"] = [reference]
    return asked


def _csv(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)
