"""Entries and receipts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, create_model

from gateway.http.schemas import Hex, View, view_of
from gateway.http.tables import TabularView
from tongdui._csv import Cell
from tongdui._export import EXPORT_COLUMNS
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


_TEXTS = {
    *("transaction", "time", "day", "kind", "member", "program_code", "target_program_code"),
    *("ref", "link", "leaf", "root", "proof"),
}
_OPTIONAL = {"agreement", "source_merchant", "target_merchant", "target_program", "target_program_code"}
"""Null without an agreement, or where it exchanges nothing."""


def _type_of(column: str) -> Any:
    kind: Any = str if column in _TEXTS else int
    return kind | None if column in _OPTIONAL else kind


if TYPE_CHECKING:
    _ExportFields = TabularView
else:
    _ExportFields = create_model(
        "ExportFields", __base__=TabularView, **{column: (_type_of(column), ...) for column in EXPORT_COLUMNS}
    )


class ExportLineView(_ExportFields):
    """An entry with its receipt, as a line of a merchant's export. The entry's fields are as they are hashed into `leaf`; the words
    of `proof`, with a space between, lead from it to the batch's `root`. What was received and paid, the merchant did."""

    columns: ClassVar[Sequence[str]] = EXPORT_COLUMNS

    def rows(self) -> Iterable[Sequence[Cell]]:
        """Its one row."""
        return [tuple(getattr(self, column) for column in EXPORT_COLUMNS)]
