"""Booking a deposit or a withdrawal by hand: asked twice, with the amount in words."""

from __future__ import annotations

from fastapi.responses import Response

from console.amounts import amount_in_words
from console.asking import asked
from console.confirming import confirmed
from console.merchants import merchant_names
from console.rights import BOOK, require
from console.settlement.banking import kind_of, resource_of, title_of
from console.settlement.forms import Booking
from console.visit import Visit, Visiting
from pages.translations import gettext as _
from tongdui import Approval


async def new_booking(visit: Visiting, movements: str, merchant: str = "") -> Response:
    """An empty booking."""
    require(visit, BOOK)
    options = await _options(visit)
    return _page(visit, movements, Booking({"merchant": merchant}, options={"merchant": options}), dict(options))


async def book(visit: Visiting, movements: str) -> Response:
    """Shows once more what will be booked, or books it."""
    require(visit, BOOK)
    kind = kind_of(movements)
    options = await _options(visit)
    form = await Booking.read(visit.request, options={"merchant": options})

    async def check(form: Booking) -> str:
        return amount_in_words(form.values["micros"])

    async def act(form: Booking) -> Approval:
        made: Approval = await resource_of(visit.client, kind).create(**form.values, idempotency_key=form.key)
        return made

    def tell(made: Approval) -> Response:
        return asked(visit, made)

    answer = await confirmed(form, check, act, tell)
    return answer if isinstance(answer, Response) else _page(visit, movements, form, dict(options), answer)


async def _options(visit: Visit) -> list[tuple[str, str]]:
    return sorted((await merchant_names(visit)).items(), key=lambda one: one[1])


def _page(visit: Visit, movements: str, form: Booking, names: dict[str, str], words: str | None = None) -> Response:
    return visit.page(
        "settlement/book.html",
        form=form,
        movements=movements,
        kind=kind_of(movements),
        names=names,
        words=words,
        status=form.status,
        crumbs=[(title_of(movements), f"/settlement/{movements}"), (_("Book"), None)],
    )
