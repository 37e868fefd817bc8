"""What the rules lead to and what the chain recorded, side by side: each difference a finding in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from ...encoding import hex_of
from ...orders import Kind, Reason
from ...receipts import Entry
from ..findings import Finding, Place
from ..watching import Event
from .rules import rule_of_reason, sentence_of_reason

_ENTRY_FIELDS = tuple(field.name for field in fields(Entry))
_BATCH_FIELDS = ("number", "entries", "root", "head")
_ABOUT_NONCES = {"InstructionRejected", "OrderRejected"}

Item = tuple[int, int, int | None]
"""Merchant, nonce and place in the order; None for the order as a whole."""


def item_of(event: Event) -> Item | None:
    """What of which order an event is about; None if it is about no order."""
    name, values = event
    if values and isinstance(values[0], Entry):
        return values[0].merchant, values[0].nonce, values[0].item
    if name == "InstructionRejected":
        return values[0], values[1], values[2]
    if name == "OrderRejected":
        return values[0], values[1], None
    return None


def order_differences(expected: Sequence[Event], found: Sequence[Event], place: Place) -> Iterator[Finding]:
    """Compares the events of one order."""
    ours = {item_of(event): event for event in expected}
    theirs = {item_of(event): event for event in found}
    whole = next((event for event in expected if event[0] == "OrderRejected"), None)
    if whole is not None and whole not in found:
        yield _accepted_wrongly(whole, found, place)
        return
    for item in sorted({*ours, *theirs}, key=_sorted):
        if ours.get(item) != theirs.get(item):
            yield from _item_differences(item, ours.get(item), theirs.get(item), place)


def _sorted(item: Item | None) -> tuple[int, ...]:
    return (0,) if item is None else (1, *(2**64 if number is None else number for number in item))


def _accepted_wrongly(refusal: Event, found: Sequence[Event], place: Place) -> Finding:
    merchant, nonce, digest, reason = refusal[1]
    entries = [values[0] for _, values in found if values and isinstance(values[0], Entry)]
    first = entries[0] if entries else None
    return Finding(
        rule_of_reason(reason),
        f"order {nonce} of merchant {merchant}, digest {hex_of(digest)}",
        f"rejected with {_code(reason)}: {sentence_of_reason(reason)}",
        f"{len(entries)} entries: " + "; ".join(_in_words(entry) for entry in entries[:3]) if entries else _said(found),
        place if first is None else Place(place.block, place.transaction, first.batch, first.index),
    )


def _item_differences(item: Item | None, ours: Event | None, theirs: Event | None, place: Place) -> Iterator[Finding]:
    if item is None:
        return
    merchant, nonce, number = item
    order = f"order {nonce} of merchant {merchant}"
    subject = order if number is None else f"instruction {number} of {order}"
    our_entry, their_entry = _entry_of(ours), _entry_of(theirs)
    if their_entry is not None:
        place = Place(place.block, place.transaction, their_entry.batch, their_entry.index)
    if our_entry is not None and their_entry is not None:
        yield from _entry_differences(our_entry, their_entry, place)
    elif our_entry is not None:
        rule = "entry.missing" if theirs is None else "instruction.rejected"
        yield Finding(rule, subject, _in_words(our_entry), _said([theirs] if theirs else []), place)
    elif ours is not None and their_entry is not None:
        reason = ours[1][3]
        yield Finding(
            rule_of_reason(reason),
            subject,
            f"rejected with {_code(reason)}: {sentence_of_reason(reason)}",
            _in_words(their_entry),
            place,
        )
    elif their_entry is not None:
        yield Finding("order.invented", subject, "no entry", _in_words(their_entry), place)
    else:
        rule = "order.rejected" if number is None else "instruction.rejected"
        yield Finding(rule, subject, _said([ours] if ours else []), _said([theirs] if theirs else []), place)


def _entry_differences(ours: Entry, theirs: Entry, place: Place) -> Iterator[Finding]:
    subject = f"entry {theirs.index} of batch {theirs.batch}, {_in_words(theirs)}"
    for name in _ENTRY_FIELDS:
        expected, found = getattr(ours, name), getattr(theirs, name)
        if expected != found:
            yield Finding(f"entry.{name}", subject, _shown(name, expected), _shown(name, found), place)


def batch_differences(expected: Event, found: Event | None, place: Place) -> Iterator[Finding]:
    """Compares how a batch was closed."""
    batch = expected[1][0]
    if found is None:
        yield Finding("batch.missing", f"batch {batch}", "an event that closes it", "none", place)
        return
    for name, ours, theirs in zip(_BATCH_FIELDS, expected[1], found[1], strict=True):
        if ours != theirs:
            rule = f"batch.{name}"
            yield Finding(rule, f"{name} of batch {batch}", _shown(name, ours), _shown(name, theirs), place)


def call_difference(method: str, expected: Sequence[Event], found: Sequence[Event], place: Place) -> Finding:
    """A call whose events are others than the rules lead to."""
    return Finding("call.events", f"call of {method}", _said(expected), _said(found), place)


# ---------------------------------------------------------------- in words


def _entry_of(event: Event | None) -> Entry | None:
    if event is None or not event[1] or not isinstance(event[1][0], Entry):
        return None
    return event[1][0]


def _in_words(entry: Entry) -> str:
    kind = Kind(entry.kind).label if entry.kind in set(Kind) else f"kind {entry.kind}"
    moved = f"{kind} {entry.points:,} points of program {entry.program}, member {entry.member}"
    if entry.agreement:
        moved += (
            f", agreement {entry.agreement}, out {entry.out:,}, settled {entry.settled:,}, fee {entry.fee:,} micros"
        )
    return moved


def _said(events: Sequence[Event]) -> str:
    return "; ".join(_event_in_words(event) for event in events) or "nothing"


def _event_in_words(event: Event) -> str:
    name, values = event
    entry = _entry_of(event)
    if entry is not None:
        return _in_words(entry)
    if name in _ABOUT_NONCES:
        return f"rejected with {_code(values[3])}: {sentence_of_reason(values[3])}"
    return f"{name}({', '.join(_shown('', value) for value in values)})"


def _code(reason: int) -> str:
    return Reason(reason).code if reason in set(Reason) else str(reason)


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, tuple):
        return f"({', '.join(_shown('', one) for one in value)})"
    if name == "kind" and value in set(Kind):
        return Kind(value).label
    return f"{value:,}" if isinstance(value, int) and name in ("points", "out", "settled", "fee") else str(value)
