"""Movements as a file for a spreadsheet: page after page from the gateway to the browser, so its length makes no difference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal

from console.flow import other_program_of
from console.kinds import DIRECTIONS, kind_name, state_name
from pages.csv_files import Cell, CsvResponse
from pages.formats import MICROS_DIGITS
from pages.presentation import presentation
from pages.translations import gettext as _
from tongdui import AsyncPages, Merchant, Movement

_Column = tuple[str, Callable[[Movement], Cell]]


async def file_of(movements: AsyncPages[Movement]) -> CsvResponse:
    """The file, in the language and zone of this request. Raises what the gateway says against the list."""
    columns = _columns()

    async def rows() -> AsyncIterator[list[Cell]]:
        async for movement in movements:
            yield [value_of(movement) for _title, value_of in columns]

    return await CsvResponse.begun("movements.csv", [title for title, _value_of in columns], rows())


def _columns() -> list[_Column]:
    """Each column's title with what it shows of a movement, in this request's language and zone."""
    zone = presentation().zone

    def local(moment: datetime | None) -> str | None:
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if moment else None

    return [
        (_("Time"), lambda one: local(one.created_at)),
        (_("Movement"), lambda one: kind_name(one.object)),
        (_("State"), lambda one: state_name(one.state)),
        (_("Reason"), lambda one: one.reason),
        (_("Direction"), lambda one: str(DIRECTIONS.get(one.direction or "", ""))),
        (_("Signed by"), lambda one: _name(one.expanded and one.expanded.merchant, one.merchant)),
        (_("Gives"), lambda one: _name(one.expanded and one.expanded.giver, one.giver)),
        (_("Receives"), lambda one: _name(one.expanded and one.expanded.receiver, one.receiver)),
        (_("Member"), lambda one: one.external_id or one.member),
        (_("Program"), lambda one: one.program),
        (_("Points"), lambda one: one.entry.points if one.entry else one.points),
        (_("Other program"), other_program_of),
        (_("Its points"), lambda one: one.entry.out if one.entry and one.entry.out else None),
        (_("Settled amount"), lambda one: _money(one.entry.settled_micros) if one.entry else None),
        (_("Fee"), lambda one: _money(one.entry.fee_micros) if one.entry else None),
        (_("Reference"), lambda one: one.reference),
        (_("Expiry"), lambda one: one.expires_on.isoformat() if one.expires_on else None),
        (_("Settled at"), lambda one: local(one.entry.settled_at) if one.entry else None),
        (_("Batch"), lambda one: one.entry.batch if one.entry else None),
        (_("Block"), lambda one: one.entry.block_number if one.entry else None),
        (_("Entry"), lambda one: one.entry.leaf if one.entry else None),
        (_("Undoes"), lambda one: one.reverses),
        (_("Number"), lambda one: one.id),
    ]


def _name(merchant: Merchant | None, identifier: str | None) -> str | None:
    return merchant.name if merchant else identifier


def _money(micros: int) -> Decimal:
    """Micros exactly, in the currency's unit."""
    return Decimal(micros).scaleb(-MICROS_DIGITS)
