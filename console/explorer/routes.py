"""Batches, their entries, and the check of receipts. Without signing in, if the operator wants that."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from console.explorer.sentences import SENTENCES
from console.explorer.view import address_of_sought, moment_of_day, network_of, offer_of, text_of
from console.visit import Anybody
from pages.formats import short
from pages.paging import cursor_of, pager_of
from pages.security import allow_connections
from pages.translations import gettext as _

router = APIRouter()

_ROWS = 50
_ANY_NODE = "https: http:"


@router.get("")
async def batches(guest: Anybody) -> Response:
    """The newest batches, and a way to any of them."""
    sought = guest.request.query_params.get("q", "")
    if address := address_of_sought(sought):
        return RedirectResponse(address, 303)
    network = await network_of(guest)
    page = await guest.client.batches.list(page_size=_ROWS).page(cursor_of(guest.request))
    return guest.page(
        "explorer/batches.html",
        status=422 if sought else 200,
        network=network,
        batches=page.data,
        pager=pager_of(guest.request, page.next_cursor),
        sought=sought,
    )


@router.get("/batches/{number}")
async def batch(guest: Anybody, number: int) -> Response:
    """One batch with its entries, as far as the person may see them."""
    entries = guest.client.entries.list(batch=number, page_size=_ROWS)
    await network_of(guest)
    found, page = await asyncio.gather(guest.client.batches.get(number), entries.page(cursor_of(guest.request)))
    return guest.page(
        "explorer/batch.html",
        batch=found,
        entries=page.data,
        pager=pager_of(guest.request, page.next_cursor),
        sees_all=guest.session is None or guest.session.seat.merchant is None,
        crumbs=[(_("Batch %(number)s") % {"number": number}, None)],
    )


@router.get("/entries/{leaf}")
async def entry(guest: Anybody, leaf: str) -> Response:
    """One entry with its receipt, which the browser checks."""
    allow_connections(guest.request, _ANY_NODE)
    network = await network_of(guest)
    found, receipt = await asyncio.gather(guest.client.entries.get(leaf), guest.client.entries.receipt(leaf))
    return guest.page(
        "explorer/entry.html",
        entry=found,
        receipt=receipt,
        text=text_of(receipt),
        offer=offer_of(network),
        sentences=SENTENCES,
        expires=moment_of_day(found.expiry_day),
        crumbs=[
            (_("Batch %(number)s") % {"number": found.batch}, f"/explorer/batches/{found.batch}"),
            (short(found.leaf), None),
        ],
    )


@router.get("/entries/{leaf}/receipt.json")
async def receipt(guest: Anybody, leaf: str) -> Response:
    """The receipt, to keep or to send to somebody who then checks it."""
    content = text_of(await guest.client.entries.receipt(leaf))
    headers = {"Content-Disposition": f'attachment; filename="receipt-{leaf[2:14]}.json"'}
    return Response(content, media_type="application/json", headers=headers)


@router.get("/check")
async def check(guest: Anybody) -> Response:
    """Checks the file of a receipt. The file does not leave the browser."""
    allow_connections(guest.request, _ANY_NODE)
    offer = offer_of(await network_of(guest))
    return guest.page("explorer/check.html", offer=offer, sentences=SENTENCES, crumbs=[(_("Check a receipt"), None)])
