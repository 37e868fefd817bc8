"""What the chain posted: entries with their receipts. A merchant sees its orders, its programs and its agreements."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clearing.kit.fields import ProgramName, WantedMember, Word
from clearing.ledger.journal.service import EntryService
from clearing.parties.members.service import is_address
from gateway.api.entries.schemas import EntryView, ReceiptView
from gateway.api.entries.view import entry_view, receipt_view
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


@router.get("/v1/entries/{leaf}")
def get_entry(leaf: Leaf, call: Reading) -> EntryView:
    """One entry, by its leaf."""
    return entry_view(call, EntryService(call.session).visible(call.viewer, bytes_of(leaf)))


@router.get("/v1/entries/{leaf}/receipt")
def get_receipt(leaf: Leaf, call: Reading) -> ReceiptView:
    """The entry with the Merkle proof that leads to its batch's root on chain."""
    return receipt_view(call, EntryService(call.session).receipt(call.viewer, bytes_of(leaf)))
