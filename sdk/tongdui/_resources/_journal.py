"""What happened: entries with their receipts, and events."""

from __future__ import annotations

from tongdui._core import name_of, segment
from tongdui._errors import VerificationError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._instructions import MemberName, ProgramName
from tongdui._models import Entry, Event, Movement
from tongdui._pages import Query, listing
from tongdui._receipt import Receipt

from ._base import Resource


class _Entries(Resource):
    @operation
    def get(self, leaf: str) -> Flow[Entry]:
        """One entry by its leaf. Raises NotFoundError."""
        return (yield from self._core.get(Entry, f"/v1/entries/{segment(leaf)}"))

    @operation
    def receipt(self, movement: str | Movement) -> Flow[Receipt]:
        """A settled movement's entry with its Merkle proof, or that of any entry by its leaf: `receipt.verify(...)`
        checks it against the chain, `receipt.save(...)` keeps it.

        Of a movement that this client made, the entry must be what was asked for and signed then, and what the
        movement shows. Raises VerificationError when it is not (`check` is `entry.points`, `entry.nonce`, ...) or is
        another entry than the one asked for (`leaf`); NotFoundError; RejectedError and PendingError like
        `movement.settled()`.
        """
        leaf = movement if isinstance(movement, str) else movement.settled().leaf
        receipt = yield from self._core.get(Receipt, f"/v1/entries/{segment(leaf)}/receipt")
        if receipt.leaf.lower() != leaf.lower():
            raise VerificationError("leaf", "the gateway served another entry", expected=leaf, found=receipt.leaf)
        if isinstance(movement, Movement):
            receipt.check_movement(movement)
        return receipt

    @listing
    def list(
        self,
        *,
        program: ProgramName | None = None,
        member: MemberName | None = None,
        batch: int | None = None,
        page_size: int | None = None,
    ) -> Query[Entry]:
        """Entries of a program, a member or a batch."""
        return Query(
            "/v1/entries",
            Entry,
            {
                "program": name_of(program) if program is not None else None,
                "member": name_of(member) if member is not None else None,
                "batch": batch,
                "limit": page_size,
            },
        )


class _Events(Resource):
    @listing
    def list(self, *, page_size: int | None = None) -> Query[Event]:
        """What happened to your movements, agreements and positions."""
        return Query("/v1/events", Event, {"limit": page_size})


class Entries(Blocking, _Entries):
    """`client.entries`."""


class AsyncEntries(Awaiting, _Entries):
    """`client.entries`, awaited."""


class Events(Blocking, _Events):
    """`client.events`."""


class AsyncEvents(Awaiting, _Events):
    """`client.events`, awaited."""
