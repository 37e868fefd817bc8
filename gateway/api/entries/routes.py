"""What the chain posted: entries with their receipts. A merchant sees its orders, its programs and its agreements."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clearing.kit.errors import NotFound
from clearing.kit.events.repository import EventRepository
from clearing.kit.fields import ProgramName, Text
from clearing.ledger.journal.models import Entry
from clearing.ledger.journal.repository import EntryFilter, EntryRepository
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.programs.repository import ProgramRepository
from clearing.parties.programs.service import ProgramService
from gateway.api.entries.schemas import EntryView, EventView, ReceiptView
from gateway.api.members.routes import member_of
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair, pair_cursor
from gateway.http.problems import documented
from gateway.http.schemas import Page, View
from tongdui.encoding import bytes_of

router = APIRouter(route_class=Endpoint)

Leaf = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{64}$")]
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@router.get("/v1/entries", response_model=Page[EntryView], responses=documented(404), tags=["entries"])
def list_entries(
    call: Reading,
    program: Annotated[ProgramName | None, Query()] = None,
    member: Annotated[Text | None, Query(max_length=160, description="id, `external:...` or address")] = None,
    batch: Annotated[int | None, Query(ge=1, lt=2**40)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> View:
    """Entries, newest first."""
    wanted = _visible(
        call,
        program=ProgramService(call.session).existing(program).number if program else None,
        address=_address(call, member) if member else None,
        batch=batch,
    )
    rows = EntryRepository(call.session).list(wanted, pair(cursor), limit + 1)
    views = Views(call.session, call.gateway.network)
    return page_of(rows, limit, views.entry, lambda row: pair_cursor(row.batch, row.index))


@router.get("/v1/entries/{leaf}", response_model=EntryView, tags=["entries"])
def get_entry(leaf: Leaf, call: Reading) -> View:
    """One entry, by its leaf."""
    return Views(call.session, call.gateway.network).entry(_entry(call, leaf))


@router.get("/v1/entries/{leaf}/receipt", response_model=ReceiptView, tags=["entries"])
def get_receipt(leaf: Leaf, call: Reading) -> View:
    """The entry with the Merkle proof that leads to its batch's root on chain."""
    proof = EntryRepository(call.session).receipt(_entry(call, leaf).leaf)
    assert proof is not None
    return Views(call.session, call.gateway.network).receipt(proof)


@router.get("/v1/events", response_model=Page[EventView], tags=["events"])
def list_events(
    call: Reading,
    type: Annotated[Text | None, Query(max_length=64)] = None,  # noqa: A002
    subject: Annotated[Text | None, Query(max_length=66)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> View:
    """What happened, newest first: to you, or (operator, treasury, auditors) to anyone."""
    rows = EventRepository(call.session).list(
        merchant_number=call.only_merchant, type=type, subject=subject, after=cursor, limit=limit + 1
    )
    return page_of(rows, limit, Views(call.session, call.gateway.network).event, lambda event: event.id)


def _entry(call: Call, leaf: str) -> Entry:
    entry = EntryRepository(call.session).by_leaf(bytes_of(leaf))
    if entry is None or not _may_see(call, entry):
        raise NotFound(f"there is no entry {leaf}")
    return entry


def _may_see(call: Call, entry: Entry) -> bool:
    number = call.only_merchant
    return (
        number in (None, entry.merchant)
        or entry.program in _own_programs(call)
        or entry.agreement in AgreementRepository(call.session).numbers_of(number or 0)
    )


def _visible(call: Call, *, program: int | None, address: str | None, batch: int | None) -> EntryFilter:
    number = call.only_merchant
    if number is None:
        return EntryFilter(program=program, address=address, batch=batch)
    return EntryFilter(
        program=program,
        address=address,
        batch=batch,
        merchant=number,
        programs=_own_programs(call),
        agreements=AgreementRepository(call.session).numbers_of(number),
    )


def _own_programs(call: Call) -> list[int]:
    return [program.number for program in ProgramRepository(call.session).of_merchant(call.only_merchant or 0)]


def _address(call: Call, member: str) -> str:
    return member.lower() if _ADDRESS.fullmatch(member) else member_of(call, member).address
