"""What the chain posted: entries with their receipts. A merchant sees its orders, its programs and its agreements."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clearing.kit.fields import Day, MerchantId, ProgramName, WantedMember, Word
from clearing.ledger.journal.export import ExportService
from clearing.ledger.journal.service import EntryService
from clearing.parties.members.service import is_address
from gateway.api.entries.schemas import EntryView, ExportLineView, ReceiptView
from gateway.api.entries.view import entry_view, export_cursor, export_line_view, export_place, receipt_view
from gateway.http.context import require_credential
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair, pair_cursor
from gateway.http.problems import documented
from gateway.http.schemas import Page
from tongdui.encoding import bytes_of

router = APIRouter(route_class=Endpoint, tags=["entries"])

Leaf = Annotated[Word, Path(description="32 bytes of hex, as a movement's `entry.leaf` shows them")]


@router.get("/v1/entries", responses=documented(404))
def list_entries(
    call: Reading,
    program: Annotated[ProgramName | None, Query()] = None,
    member: Annotated[WantedMember | None, Query(max_length=160, description="id, `external:...` or address")] = None,
    batch: Annotated[int | None, Query(ge=1, lt=2**40)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[EntryView]:
    """Entries, newest first. Where the explorer is public, anyone may list them, also those of an address."""
    require_credential(call, "member", is_used=member is not None and not is_address(member))
    rows = EntryService(call.session).list(
        call.viewer, program=program, member=member, batch=batch, after=pair(cursor), limit=limit + 1
    )
    return page_of(
        rows, limit, partial(entry_view, call), lambda posted: pair_cursor(posted.entry.batch, posted.entry.index)
    )


@router.get("/v1/entries/export", responses=documented(404))
def export_entries(
    call: Reading,
    first: Annotated[Day | None, Query(alias="from", description="the first day; by default the chain's first")] = None,
    last: Annotated[Day | None, Query(alias="to", description="the last day, which counts; by default today")] = None,
    merchant: Annotated[
        MerchantId | None, Query(description="whose; your own, if it is missing, or the operator's")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="entries a page")] = 500,
    cursor: Cursor = None,
) -> Page[ExportLineView]:
    """A merchant's entries of some days with their receipts, in the chain's order: those of its programs and of its agreements, and
    for the operator those with a fee.

    With `Accept: text/csv` as a table; `Next-Cursor` leads to the next page, and without it the file is complete. The pages
    without their later heads are the file that `tongdui audit export` writes from the chain, byte for byte. A page may be short,
    or empty, and not be the last one.
    """
    network = call.gateway.network
    page = ExportService(call.session, network=network).page(
        call.viewer,
        merchant,
        first_day=network.day_of(first) if first else None,
        last_day=network.day_of(last) if last else None,
        after=export_place(cursor),
        limit=limit,
    )
    return Page(
        data=[export_line_view(page.merchant, exported) for exported in page.entries],
        next_cursor=export_cursor(page.next) if page.next else None,
    )


@router.get("/v1/entries/{leaf}")
def get_entry(leaf: Leaf, call: Reading) -> EntryView:
    """One entry, by its leaf."""
    return entry_view(call, EntryService(call.session).visible(call.viewer, bytes_of(leaf)))


@router.get("/v1/entries/{leaf}/receipt")
def get_receipt(leaf: Leaf, call: Reading) -> ReceiptView:
    """The entry with the Merkle proof that leads to its batch's root on chain."""
    return receipt_view(call, EntryService(call.session).receipt(call.viewer, bytes_of(leaf)))
