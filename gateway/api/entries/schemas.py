"""Entries and receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from gateway.http.schemas import Hex, View, view_of
from tongdui.receipts import Entry


class EntryView(View):
    """An accepted instruction, as the chain posted it."""

    leaf: Hex
    batch: int
    index: int
    kind: str
    merchant: str = Field(description="who signed it")
    nonce: int
    item: int
    program: str = Field(description="the program whose points are counted in `points`")
    target_program: str | None = Field(description="the agreement's other program, whose points are counted in `out`")
    agreement: str | None
    member_address: str
    points: int
    out: int
    settled_micros: int
    fee_micros: int
    expiry_day: int = Field(description="days since 1970-01-01; 0 for never")
    ref: Hex
    link: Hex
    tx_hash: Hex
    block_number: int


if TYPE_CHECKING:
    WireEntry = View
else:
    WireEntry = view_of(Entry, "WireEntry", "The entry, field by field, as it is hashed into its leaf.")


class ReceiptNamesView(View):
    """What the numbers in the entry are called here. No part of what is hashed: to check it, ask the chain."""

    merchant: str = Field(description="who signed it")
    merchant_name: str
    program: str = Field(examples=["FUEL"])
    target_program: str | None = Field(examples=["CINE"])
    agreement: str | None


class ReceiptView(View):
    """An entry with its Merkle proof: anyone can check it against the chain."""

    entry: WireEntry
    leaf: Hex
    proof: list[Hex]
    root: Hex
    batch: int
    tx_hash: Hex
    block_number: int
    chain_id: int
    contract: str
    names: ReceiptNamesView
