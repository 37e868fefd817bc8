"""What a replay would show of a chain that a test makes up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.support.entry_history import ACCEPTANCE, CINE, EXCHANGE, FUEL, KEEPING, EntryHistory
from tongdui.audit.findings import Finding
from tongdui.audit.watching import BlockSeen, EntrySeen, EventSeen, Watcher
from tongdui.encoding import ZERO_WORD
from tongdui.orders import AgreementTerms
from tongdui.receipts import Entry

OPERATOR, SEQUENCER, TREASURY, OWNER = ("0x" + f"{number:02x}" * 20 for number in range(0xA0, 0xA4))

TERMS = AgreementTerms(
    kind=1,
    initiators=3,
    fee_bps=0,
    lifetime_days=0,
    source_merchant=1,
    target_merchant=2,
    source_program=FUEL,
    target_program=CINE,
    valid_from=0,
    valid_until=2**40 - 1,
    rate_num=2,
    rate_den=3,
    unit_price_micros=1,
    max_points=2**32,
    daily_cap=2**32,
    supersedes=0,
    grace_seconds=0,
    accept_by=0,
    keep_expiry=False,
    document=ZERO_WORD,
)
AGREEMENTS = {
    EXCHANGE: TERMS,
    ACCEPTANCE: replace(TERMS, kind=2, target_program=0, rate_num=1, rate_den=1),
    KEEPING: replace(TERMS, keep_expiry=True),
}


def block_of(day: int, number: int = 1, time: int = 0) -> BlockSeen:
    """A block of this network day."""
    return BlockSeen(number, "0x" + f"{number:064x}", time or day * 86_400, day)


def entry_seen(entry: Entry, day: int, originals: dict[bytes, Entry]) -> EntrySeen:
    """An entry as a watcher sees it, among the entries that may be reversed."""
    terms = AGREEMENTS.get(entry.agreement)
    block = block_of(day, number=entry.batch)
    return EntrySeen(entry, entry.leaf(), block, f"0x{entry.batch:064x}", terms, originals.get(entry.link))


def shown(
    watcher: Watcher,
    history: EntryHistory,
    *,
    among: EntryHistory | None = None,
    after_each: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """What a watcher finds in a history, which may be a part of another one, before its end."""
    originals = {entry.leaf(): entry for entry, _ in (among or history).entries}
    found: list[Finding] = []
    for entry, day in history.entries:
        found += watcher.on_entry(entry_seen(entry, day, originals))
        after_each()
    return found


def event(name: str, *values: Any, time: int = 0, sender: str = OPERATOR, number: int = 1) -> EventSeen:
    """An event of a block of this time, in a transaction of its own."""
    return EventSeen(name, values, block_of(time // 86_400, number, time), f"0x{number:064x}", sender)


def told(watcher: Watcher, events: Sequence[EventSeen]) -> list[Finding]:
    """What a watcher finds in events."""
    return [one for seen in events for one in watcher.on_event(seen)]


def rules_of(findings: Sequence[Finding]) -> list[str]:
    """Which rules are broken, in the order of finding."""
    return [one.rule for one in findings]
