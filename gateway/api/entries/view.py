"""Entries and receipts as the API shows them."""

from __future__ import annotations

import re
from dataclasses import fields

from clearing.ledger.journal.export import ExportPlace
from clearing.ledger.journal.models import Proof
from clearing.ledger.journal.service import PostedEntry
from gateway.api.entries.schemas import EntryView, ExportLineView, ReceiptNamesView, ReceiptView, WireEntry
from gateway.http.context import Call
from gateway.http.pagination import pair, unknown_cursor
from tongdui._export import EXPORT_COLUMNS, ExportedEntry, export_row
from tongdui.orders import Kind

_HEAD = re.compile(r"[0-9a-f]{16}")


def entry_view(call: Call, posted: PostedEntry) -> EntryView:
    """An entry with its place on the chain."""
    entry = posted.entry
    return EntryView(
        leaf=entry.leaf,
        batch=entry.batch,
        index=entry.index,
        kind=Kind(entry.kind).label,
        merchant=call.names.merchant(entry.merchant),
        nonce=entry.nonce,
        item=entry.item,
        program=call.names.program(entry.program),
        target_program=call.names.target_program(entry.agreement),
        agreement=call.names.agreement(entry.agreement),
        member_address=entry.address,
        points=entry.points,
        out=entry.out,
        settled_micros=entry.settled,
        fee_micros=entry.fee,
        expiry_day=entry.expiry_day,
        ref=entry.ref,
        link=entry.link,
        tx_hash=posted.batch.tx_hash,
        block_number=entry.block_number,
    )


def receipt_view(call: Call, proof: Proof) -> ReceiptView:
    """An entry with its Merkle proof."""
    wire = proof.entry.wire()
    return ReceiptView(
        entry=WireEntry(**{field.name: getattr(wire, field.name) for field in fields(wire)}),
        leaf=proof.entry.leaf,
        proof=list(proof.path),
        root=proof.batch.root,
        batch=proof.batch.number,
        tx_hash=proof.batch.tx_hash,
        block_number=proof.batch.block_number,
        chain_id=call.gateway.network.chain_id,
        contract=call.gateway.network.contract,
        names=ReceiptNamesView(
            merchant=call.names.merchant(proof.entry.merchant),
            merchant_name=call.names.merchant_name(proof.entry.merchant),
            program=call.names.program(proof.entry.program),
            target_program=call.names.target_program(proof.entry.agreement),
            agreement=call.names.agreement(proof.entry.agreement),
        ),
    )


def export_line_view(merchant: int, exported: ExportedEntry) -> ExportLineView:
    """An entry as a line of a merchant's export."""
    return ExportLineView(**dict(zip(EXPORT_COLUMNS, export_row(merchant, exported), strict=True)))


def export_cursor(place: ExportPlace) -> str:
    """The cursor of a place in an export."""
    return f"{place.batch}_{place.index}_{place.head.hex()}"


def export_place(cursor: str | None) -> ExportPlace | None:
    """The place of a cursor."""
    if cursor is None:
        return None
    before, _, head = cursor.rpartition("_")
    place = pair(before)
    if place is None or not _HEAD.fullmatch(head):
        raise unknown_cursor()
    return ExportPlace(*place, bytes.fromhex(head))
