"""Booking a deposit or a withdrawal by hand: asked twice, with the amount in words."""

from __future__ import annotations

from fastapi.responses import Response

from console.merchants import merchant_names
from console.problems import refusals
from console.settlement.banking import kind_of, resource_of, title_of
from console.settlement.forms import Booking
from console.settlement.view import KINDS, require
from console.settlement.words import amount_in_words
from console.visit import Visit, Visiting
from pages.translations import gettext as _


async def new_booking(visit: Visiting, movements: str, merchant: str = "") -> Response:
    """An empty booking."""
    require(visit, "treasury")
    options = await _options(visit)
    return _page(visit, movements, Booking({"merchant": merchant}, options={"merchant": options}), dict(options))


async def book(visit: Visiting, movements: str) -> Response:
    """Shows once more what will be booked; the second time it books it."""
    require(visit, "treasury")
    options = await _options(visit)
    form = await Booking.read(visit.request, options={"merchant": options})
    if form.is_valid and form.values.get("reviewed"):
        with refusals(form):
            made = await resource_of(visit.client, kind_of(movements)).create(
                merchant=form.values["merchant"],
                micros=form.values["micros"],
                bank_reference=form.values["bank_reference"],
                idempotency_key=form.key,
            )
        if form.is_valid:
            return visit.redirect(f"/settlement/{movements}/{made.id}", _("It is booked, and on its way to the chain."))
    return _page(visit, movements, form, dict(options))


async def _options(visit: Visit) -> list[tuple[str, str]]:
    return sorted((await merchant_names(visit)).items(), key=lambda one: one[1])


def _page(visit: Visit, movements: str, form: Booking, names: dict[str, str]) -> Response:
    kind_of(movements)
    return visit.page(
        "settlement/book.html",
        form=form,
        movements=movements,
        kind=KINDS[movements],
        is_second=form.is_valid,
        names=names,
        words=amount_in_words(form.values["micros"]) if form.is_valid else "",
        status=form.status,
        crumbs=[(title_of(movements), f"/settlement/{movements}"), (_("Book"), None)],
    )
