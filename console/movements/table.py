"""Movements as a file for a spreadsheet: page after page from the gateway to the browser, so its length makes no difference."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime

from console.flow import other_program_of
from console.movements.filters import DIRECTIONS, KINDS, STATES
from pages.formats import MICROS
from pages.presentation import presentation
from pages.translations import gettext as _
from tongdui import Merchant, Movement, Page

_BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheets do not read Chinese in UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def writer_of() -> Callable[[AsyncIterator[Page[Movement]]], AsyncIterator[bytes]]:
    """A function that writes pages of movements in the language and zone of this request."""
    columns = _columns()
    zone = presentation().zone

    def cell(value: object) -> str:
        if isinstance(value, datetime):
            return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        text = "" if value is None else str(value)
        return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text

    async def write(pages: AsyncIterator[Page[Movement]]) -> AsyncIterator[bytes]:
        yield _BYTE_ORDER_MARK.encode() + _lines([[title for title, _of in columns]])
        async for page in pages:
            yield _lines([[cell(of(movement)) for _title, of in columns] for movement in page.data])

    return write


def _lines(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _columns() -> list[tuple[str, Callable[[Movement], object]]]:
    """Each column's title with what it shows of a movement. Titles and words are translated here, once."""
    kinds = {f"{noun}": str(KINDS[kind]) for kind, noun in _NOUNS.items()}
    states = {state: str(name) for state, name in STATES.items()}
    directions = {way: str(name) for way, name in DIRECTIONS.items()}
    return [
        (_("Time"), lambda one: one.created_at),
        (_("Movement"), lambda one: kinds.get(one.object, one.object)),
        (_("State"), lambda one: states.get(one.state, one.state)),
        (_("Reason"), lambda one: one.reason),
        (_("Direction"), lambda one: directions.get(one.direction or "")),
        (_("Signed by"), lambda one: _name(one.expanded and one.expanded.merchant, one.merchant)),
        (_("Gives"), lambda one: _name(one.expanded and one.expanded.giver, one.giver)),
        (_("Receives"), lambda one: _name(one.expanded and one.expanded.receiver, one.receiver)),
        (_("Member"), lambda one: one.external_id or one.member),
        (_("Program"), lambda one: one.program),
        (_("Points"), lambda one: one.entry.points if one.entry else one.points),
        (_("Other program"), other_program_of),
        (_("Its points"), lambda one: one.entry.out if one.entry and one.entry.out else None),
        (_("Settled"), lambda one: _money(one.entry.settled_micros) if one.entry else None),
        (_("Fee"), lambda one: _money(one.entry.fee_micros) if one.entry else None),
        (_("Reference"), lambda one: one.reference),
        (_("Expiry"), lambda one: one.expires_on),
        (_("Settled at"), lambda one: one.entry.settled_at if one.entry else None),
        (_("Batch"), lambda one: one.entry.batch if one.entry else None),
        (_("Block"), lambda one: one.entry.block_number if one.entry else None),
        (_("Entry"), lambda one: one.entry.leaf if one.entry else None),
        (_("Undoes"), lambda one: one.reverses),
        (_("Number"), lambda one: one.id),
    ]


_NOUNS = {
    "issue": "issuance",
    "redeem": "redemption",
    "exchange": "exchange",
    "spend": "spend",
    "transfer": "transfer",
    "reverse": "reversal",
    "expire": "expiration",
}


def _name(merchant: Merchant | None, identifier: str | None) -> str | None:
    return merchant.name if merchant else identifier


def _money(micros: int) -> str:
    """Micros exactly, with a point and no separators, as spreadsheets read it."""
    whole, rest = divmod(micros, MICROS)
    return f"{whole}.{rest:06d}"
