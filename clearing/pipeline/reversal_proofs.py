"""Merkle proofs of the entries that a batch's reversals undo."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.ledger.journal.repository import EntryRepository
from clearing.ordering.orders.models import QueuedOrder
from tongdui import orders as wire
from tongdui.encoding import hex_of
from tongdui.orders import Kind
from tongdui.receipts import Evidence


class ReversalProofs:
    """Proofs of reversed entries, each looked up once."""

    def __init__(self, session: Session) -> None:
        self._entries = EntryRepository(session)
        self._found: dict[bytes, Evidence | None] = {}

    def cover(self, order: QueuedOrder) -> bool:
        """Whether the order's reversals can be proven: not while a reorganisation has removed an original."""
        if not order.load.reversals:
            return True
        instructions = order.signed().order.instructions
        links = [instruction.link for instruction in instructions if instruction.kind is Kind.REVERSE]
        return all(self._find(link) is not None for link in links)

    def calldata(self, orders: Sequence[QueuedOrder]) -> bytes:
        """The calldata of a batch of these orders."""
        contents = (order.signed() if order.load.reversals else order.packed for order in orders)
        return wire.execute_calldata(contents, self._evidence)

    def _evidence(self, reversal: wire.Instruction) -> Evidence:
        found = self._find(reversal.link)
        if found is None:
            raise LookupError(f"no entry with leaf {hex_of(reversal.link)}")
        return found

    def _find(self, leaf: bytes) -> Evidence | None:
        if leaf not in self._found:
            proof = self._entries.receipt(leaf)
            self._found[leaf] = Evidence(proof.entry.wire(), proof.path) if proof is not None else None
        return self._found[leaf]
