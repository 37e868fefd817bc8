"""The export for tax offices and regulators: entries with their receipts, as the gateway writes them."""

from __future__ import annotations

from fastapi.responses import Response

from console.merchants import all_merchants
from console.visit import Visit
from pages.csv_files import CsvResponse
from pages.filters import Filters, read_filters
from pages.paging import address_with
from pages.translations import gettext as _
from tongdui import Merchant, NotFoundError, UnprocessableError

_LONGEST = 64
_MERCHANT = "merchant"


async def export_page(visit: Visit) -> Response:
    """Asks for days, and for the network's own people also whose entries."""
    filters = _filters(visit)
    merchants: list[Merchant] = [] if visit.seat.merchant is not None else list(await all_merchants(visit))
    choices = sorted(((one.id, one.name) for one in merchants), key=lambda pair: pair[1])
    return visit.page(
        "movements/export.html",
        status=filters.status,
        filters=filters,
        merchants=choices,
        crumbs=[(_("Export with receipts"), None)],
    )


async def export_file(visit: Visit) -> Response:
    """The file. What cannot be meant leads back to the page, which says what is wrong."""
    filters = _filters(visit)
    back = address_with(visit.request, {}, "/movements/export")
    if filters.mistakes:
        return visit.redirect(back)
    exported = visit.client.entries.export(
        merchant=visit.seat.merchant or filters.asked.get(_MERCHANT),
        first_day=filters.first_day,
        last_day=filters.last_day,
    )
    try:
        return await CsvResponse.written("entries.csv", aiter(exported))
    except (NotFoundError, UnprocessableError):
        return visit.redirect(back, _("There is no such merchant, or nothing is written like this."), tone="warn")


def _filters(visit: Visit) -> Filters:
    texts = {} if visit.seat.merchant is not None else {_MERCHANT: _LONGEST}
    return read_filters(visit.request.query_params, texts=texts, days=True)
