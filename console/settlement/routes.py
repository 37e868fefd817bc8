"""Settlement: positions, statements, deposits and withdrawals; the treasury's bookings and the operator's credit limits."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.merchants import merchant_names
from console.problems import refusals
from console.settlement import banking
from console.settlement.booking import book, new_booking
from console.settlement.forms import CreditLimit
from console.settlement.view import (
    KINDS,
    LINE_KINDS,
    STATES,
    TONES,
    day_after,
    day_or_none,
    names_for,
    require,
    standing_of,
    start_of,
    tone_of,
)
from console.visit import Visit, Visiting
from pages.paging import address_with, pager_of
from pages.translations import gettext as _

router = APIRouter()
_PAGE = 25


@router.get("")
async def overview(visit: Visiting, cursor: str | None = None) -> Response:
    """A merchant's own money; for the network's people, everybody's."""
    if visit.seat.merchant is not None:
        return await _merchant(visit, visit.merchant)
    page, names = await asyncio.gather(visit.client.positions.list(page_size=_PAGE).page(cursor), merchant_names(visit))
    return visit.page(
        "settlement/positions.html",
        rows=[(one, names.get(one.merchant, one.merchant), tone_of(one)) for one in page.data],
        pager=pager_of(visit.request, page.next_cursor),
    )


@router.get("/merchants/{merchant}")
async def one_merchant(visit: Visiting, merchant: str) -> Response:
    """One merchant's money, for the network's people."""
    require(visit, "operator", "treasury", "auditor")
    return await _merchant(visit, merchant)


@router.post("/merchants/{merchant}/credit-limit")
async def set_credit_limit(visit: Visiting, merchant: str) -> Response:
    """Asks the chain for another credit limit."""
    require(visit, "operator")
    form = await CreditLimit.read(visit.request)
    if form.is_valid:
        with refusals(form):
            micros = form.values["credit_limit_micros"]
            await visit.client.merchants.set_credit_limit(merchant, micros, idempotency_key=form.key)
        if form.is_valid:
            told = _("The new credit limit is on its way to the chain.")
            return visit.redirect(f"/settlement/merchants/{merchant}", told)
    return await _merchant(visit, merchant, form)


@router.get("/statements")
async def statements(
    visit: Visiting, first: str = "", last: str = "", merchant: str = "", cursor: str | None = None
) -> Response:
    """Daily statements, the last day first."""
    days = _days(first, last)
    page, names = await asyncio.gather(
        visit.client.statements.list(**days, merchant=merchant or None, page_size=_PAGE).page(cursor), names_for(visit)
    )
    return visit.page(
        "settlement/statements.html",
        rows=page.data,
        names=names,
        chosen={"first": first, "last": last, "merchant": merchant},
        csv=address_with(visit.request, {"cursor": None}, "/settlement/statements/csv"),
        pager=pager_of(visit.request, page.next_cursor),
        crumbs=[(_("Statements"), None)],
    )


@router.get("/statements/csv")
async def statements_csv(visit: Visiting, first: str = "", last: str = "", merchant: str = "") -> Response:
    """The same as a table."""
    days = _days(first, last)
    text = await visit.client.statements.csv_of_days(days["first_day"], days["end_day"], merchant=merchant or None)
    return _csv(text, "statements.csv")


@router.get("/statements/{statement}")
async def one_statement(visit: Visiting, statement: str) -> Response:
    """One statement, line by line."""
    found, names = await asyncio.gather(visit.client.statements.get(statement), names_for(visit))
    crumbs = [(_("Statements"), "/settlement/statements"), (found.day.isoformat(), None)]
    return visit.page("settlement/statement.html", one=found, names=names, kinds=LINE_KINDS, crumbs=crumbs)


@router.get("/statements/{statement}/csv")
async def one_statement_csv(visit: Visiting, statement: str) -> Response:
    """One statement as a table."""
    return _csv(await visit.client.statements.csv(statement), f"{statement}.csv")


router.get("/bank-file")(banking.ask)
router.post("/bank-file")(banking.upload)
router.post("/bank-file/review")(banking.review)
router.post("/bank-file/book")(banking.book)


@router.get("/{movements}")
async def bank_movements(
    visit: Visiting,
    movements: str,
    state: str = "",
    merchant: str = "",
    reference: str = "",
    first: str = "",
    last: str = "",
    cursor: str | None = None,
) -> Response:
    """Deposits or withdrawals, newest first."""
    resource = banking.resource_of(visit.client, banking.kind_of(movements))
    begins, ends = day_or_none(first), day_or_none(last)
    wanted = resource.list(
        state=state if state in STATES else None,
        merchant=merchant or None,
        bank_references=[reference.strip()] if reference.strip() else (),
        created_from=start_of(begins) if begins else None,
        created_before=start_of(day_after(ends)) if ends else None,
        page_size=_PAGE,
    )
    page, names = await asyncio.gather(wanted.page(cursor), names_for(visit))
    return visit.page(
        "settlement/bank_movements.html",
        rows=page.data,
        names=names,
        states=STATES,
        tones=TONES,
        movements=movements,
        kind=KINDS[movements],
        chosen={"state": state, "merchant": merchant, "reference": reference, "first": first, "last": last},
        pager=pager_of(visit.request, page.next_cursor),
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
        client.events.list(subject=movement, page_size=20).page(),
    )
    merchant = await client.merchants.get(found.merchant)
    return visit.page(
        "settlement/bank_movement.html",
        one=found,
        merchant=merchant,
        events=tuple(reversed(events.data)),
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
        form=shown if visit.seat.role == "operator" else None,
        own=own,
        states=STATES,
        tones=TONES,
        status=shown.status,
        crumbs=[] if own else [(found.merchant.name, None)],
    )


def _days(first: str, last: str) -> dict[str, Any]:
    ends = day_or_none(last)
    return {"first_day": day_or_none(first), "end_day": day_after(ends) if ends else None}


def _csv(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)
