"""What happened: entries with their receipts, and events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tongdui._entry_export import AsyncEntryExport, EntryExport
from tongdui._flow import Awaiting, Blocking, Flow, Param, operation
from tongdui._gateway import Identified, given, optional_name_of, segment
from tongdui._instruction import MemberName, ProgramName
from tongdui._models import Entry, Event, Movement
from tongdui._pagination import Query, listing
from tongdui._receipt import Receipt
from tongdui._resource import Resource
from tongdui._stream import AsyncEventStream, EventStream
from tongdui._verification import require_same


class _Entries(Resource):
    @operation
    def get(self, leaf: str) -> Flow[Entry]:
        """Fetch one entry by its leaf. Raises NotFoundError."""
        return (yield from self._gateway.get(Entry, f"/v1/entries/{segment(leaf)}"))

    @operation
    def receipt(self, movement: str | Movement) -> Flow[Receipt]:
        """Fetch an entry with its Merkle proof.

        If this client made the movement, the entry must be what was signed (or asked for) then. In any case it must be
        what the movement shows.

        Args:
            movement: A settled movement, or the leaf of any entry.

        Returns:
            The receipt. `receipt.verify(...)` checks it against the chain, `receipt.save(...)` keeps it.

        Raises:
            VerificationError: The gateway served another entry (`leaf`), or the entry differs from the movement
                (`entry.points`, `entry.nonce`, ...).
            RejectedError: The movement did not take effect.
            PendingError: The movement is not final yet.
            NotFoundError: There is no such entry.
        """
        leaf = movement if isinstance(movement, str) else movement.settled().leaf
        receipt = yield from self._gateway.get(Receipt, f"/v1/entries/{segment(leaf)}/receipt")
        require_same("leaf", "the gateway served another entry", leaf, receipt.leaf)
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
        """List entries.

        Args:
            program: Only those by which points leave or enter this program.
            member: Only those of this member.
            batch: Only those of this batch.
            page_size: Entries to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "program": optional_name_of(program),
            "member": optional_name_of(member),
            "batch": batch,
            "limit": page_size,
        }
        return Query("/v1/entries", Entry, params)


class _Events(Resource):
    @listing
    def list(
        self,
        *,
        type: str | None = None,  # noqa: A002 - what the API calls it
        subject: str | None = None,
        page_size: int | None = None,
    ) -> Query[Event]:
        """List what happened to your movements, agreements and positions, newest first.

        Args:
            type: Only events of this type, such as `exchange.received`.
            subject: Only events about the resource with this id.
            page_size: Events to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        return Query("/v1/events", Event, {"type": type, "subject": subject, "limit": page_size})


class Entries(Blocking, _Entries):
    """Entries: what the chain recorded, with receipts."""

    def export(
        self,
        *,
        merchant: str | Identified | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> EntryExport:
        """Fetch a merchant's entries of some days with their receipts, as CSV: for a tax office or a regulator.

        The file that `tongdui audit export` writes from the chain is the same, byte for byte.

        Args:
            merchant: Whose; by default your own, and the operator's for the network's own roles, which may ask for anybody's.
            first_day: The first day of the network. By default the chain's first.
            last_day: The last day, which counts. By default today.

        Returns:
            The file in pieces: iterate over it, or `save` it.

        Raises:
            APIError: While you iterate: the gateway refused it, or what it has served so far is no longer the chain.
            APIConnectionError: While you iterate: no answer came.
        """
        return EntryExport(self._driver, self._gateway, _export_params(merchant, first_day, last_day))


class AsyncEntries(Awaiting, _Entries):
    """Entries: what the chain recorded, with receipts. Its methods are awaited."""

    def export(
        self,
        *,
        merchant: str | Identified | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> AsyncEntryExport:
        """Fetch a merchant's entries with their receipts: `async for piece in ...`. Otherwise as `Entries.export`.

        Args:
            merchant: Whose; by default your own, or the operator's.
            first_day: The first day of the network.
            last_day: The last day, which counts.

        Returns:
            The file in pieces.

        Raises:
            APIError: While you iterate: the gateway refused it, or what it has served so far is no longer the chain.
            APIConnectionError: While you iterate: no answer came.
        """
        return AsyncEntryExport(self._driver, self._gateway, _export_params(merchant, first_day, last_day))


def _export_params(
    merchant: str | Identified | None, first_day: date | None, last_day: date | None
) -> dict[str, Param]:
    return given(
        **{
            "merchant": optional_name_of(merchant),
            "from": None if first_day is None else first_day.isoformat(),
            "to": None if last_day is None else last_day.isoformat(),
        }
    )


class Events(Blocking, _Events):
    """Events: what happened to your movements, agreements and positions."""

    def stream(
        self, types: Sequence[str] = (), *, last_event_id: str | None = None, patience: float | None = None
    ) -> EventStream:
        """Hear your events as they happen, each once and in order. It connects again by itself, and goes on where it was.

        Args:
            types: Only events of these types, such as `["exchange.received", "order.*"]`. All by default.
            last_event_id: Begin after the event with this id. By default, begin now.
            patience: Seconds for which the gateway may be unreachable before the stream gives up. By default it never does.

        Returns:
            The stream. Iterate over it; its `last_event_id` says how far it is.

        Raises:
            APIError: While you iterate: the gateway refused the stream.
            APIConnectionError: While you iterate: the gateway was unreachable for longer than `patience`.
        """
        return EventStream(self._driver, self._gateway, types, last_event_id, patience)


class AsyncEvents(Awaiting, _Events):
    """Events: what happened to your movements, agreements and positions. Its methods are awaited."""

    def stream(
        self, types: Sequence[str] = (), *, last_event_id: str | None = None, patience: float | None = None
    ) -> AsyncEventStream:
        """Hear your events as they happen: `async for event in client.events.stream()`. Otherwise as `Events.stream`.

        Args:
            types: Only events of these types. All by default.
            last_event_id: Begin after the event with this id. By default, begin now.
            patience: Seconds for which the gateway may be unreachable. By default as long as it takes.

        Returns:
            The stream.

        Raises:
            APIError: While you iterate: the gateway refused the stream.
            APIConnectionError: While you iterate: the gateway was unreachable for longer than `patience`.
        """
        return AsyncEventStream(self._driver, self._gateway, types, last_event_id, patience)
