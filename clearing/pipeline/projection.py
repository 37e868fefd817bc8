"""What a block does to the read model: entries, rejections, final orders, sums, and the rare events.

All of it happens in the caller's transaction, so a block is applied exactly once: its primary key refuses a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.orm import Session

from clearing.chain import contract
from clearing.chain.calls.models import Call
from clearing.chain.client import BlockData, Log
from clearing.kit import metrics
from clearing.kit.clock import clock_of
from clearing.kit.identity import NetworkIdentity
from clearing.kit.wakeups.channels import Channel, notify
from clearing.ledger.activity.recorder import ActivityRecorder
from clearing.ledger.journal.models import Batch, Block, QuarantinedEvent, Rejection
from clearing.ledger.journal.repository import EntryRepository
from clearing.ledger.journal.service import JournalService
from clearing.ledger.lots.repository import LotRepository
from clearing.ledger.lots.service import LotService
from clearing.ordering.orders.facts import EntryOfBlock
from clearing.ordering.orders.finalisation import BlockSettlement, Decision, OrderFinalisation
from clearing.ordering.orders.models import OrderKey
from clearing.parties.agreements.repository import AgreementUseRepository
from clearing.parties.merchants.repository import MerchantRepository
from clearing.pipeline.failed_calls import fail_call_for_good
from clearing.pipeline.power_events import record_powers
from clearing.pipeline.quarantine import UNREADABLE, apply_or_quarantine, quarantine_event, quarantined_event
from clearing.pipeline.registry_events import (
    RareEvent,
    apply_to_position,
    by_table,
    changes_only_position,
    lock_registrations,
    merchants_paid,
)
from clearing.pipeline.submission import REVERTED, requeue_reverted, settle_transactions
from tongdui import receipts
from tongdui.encoding import ZERO_WORD, keccak256
from tongdui.orders import Reason

log = structlog.get_logger(__name__)

_JOURNAL = (contract.BATCH_CLOSED, contract.INSTRUCTION_REJECTED, contract.ORDER_REJECTED)
"""Events that, like entries, never go into quarantine: without one of them the read model would be wrong. The projector stops."""


@dataclass(slots=True)
class BlockContent:
    """A block's logs, sorted by kind."""

    entries: list[receipts.Entry] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    """Of the entries."""
    rejections: list[Rejection] = field(default_factory=list)
    batches: list[tuple[contract.ContractEvent, bytes]] = field(default_factory=list)
    rare: list[tuple[Log, contract.ContractEvent]] = field(default_factory=list)
    quarantined: list[QuarantinedEvent] = field(default_factory=list)
    decisions: dict[OrderKey, Decision] = field(default_factory=lambda: defaultdict(Decision))


def project_block(session: Session, block: BlockData, network: NetworkIdentity) -> None:
    """Applies a block to the read model, all of it in the caller's transaction.

    It goes through reference data, orders, accounts, holds and positions in the order in which everybody locks them.
    """
    day = network.day_at(block.timestamp)
    session.add(
        Block(number=block.number, hash=block.hash, parent_hash=block.parent_hash, timestamp=block.timestamp, day=day)
    )
    content = sort_logs(block)
    failed_calls, reverted = settle_transactions(session, block.receipts, [event.name for _, event in content.rare])
    for quarantined in content.quarantined:
        quarantine_event(session, quarantined)
    registered = _apply_registrations(session, block.number, day, content.rare)
    requeue_reverted(session, reverted)
    gas = {receipt.tx_hash: receipt.gas_used for receipt in block.receipts}
    for event, tx_hash in content.batches:
        session.add(_batch(event, tx_hash, gas[tx_hash], block.number))
        metrics.batch_projected(event.arguments["entries"], gas[tx_hash])
    EntryRepository(session).add(content.entries, content.leaves, block.number)
    session.add_all(content.rejections)
    journal = JournalService(session)
    originals = journal.originals(content.entries)
    effects = journal.effects_of(content.entries, day, originals)
    LotRepository(session).note_reversals(content.entries, originals)
    _note_posted(content, block.number)
    ended = OrderFinalisation(session).settle(
        content.decisions,
        block_number=block.number,
        effects=effects,
        day=day,
        due=LotService(session, network=network).due_days(content.entries, day),
        midnight=network.begin_of(network.day_at(clock_of(session).unix())),
        settlement=settlement_of(session, [event for _, event in content.rare], failed_calls, day),
    )
    _apply_to_positions(session, block.number, day, content.rare, registered)
    for call in failed_calls:
        fail_call_for_good(session, call, REVERTED)
    record_powers(session, network.contract, block.number, block.receipts, content.rare)
    ActivityRecorder(session).add(content.entries, day, originals)
    if block.receipts:  # the calls in them are final, too
        notify(session, Channel.DECIDED)
    for order in ended:
        metrics.order_ended(order.state, (clock_of(session).now() - order.created_at).total_seconds())
    if content.batches:
        log.info("projected", block=block.number, entries=len(content.entries), rejected=len(content.rejections))


def _note_posted(content: BlockContent, block_number: int) -> None:
    """Notes in each order's decision what the chain posted for its instructions."""
    transactions = {event.arguments["batch"]: tx_hash for event, tx_hash in content.batches}
    for entry, leaf in zip(content.entries, content.leaves, strict=True):
        posted = EntryOfBlock(entry, leaf, transactions[entry.batch], block_number)
        content.decisions[entry.merchant, entry.nonce].posted[entry.item] = posted


def sort_logs(block: BlockData) -> BlockContent:
    """Decodes and sorts a block's logs."""
    content = BlockContent()
    for item in block.logs:
        topic = item.topics[0] if item.topics else b""
        if topic in (contract.ENTRY_POSTED, contract.LINKED_ENTRY_POSTED):
            content.entries.append(entry_of(item))
            content.leaves.append(leaf_of(item))
            continue
        if topic not in _JOURNAL:
            _sort_rare(content, block.number, item)
            continue
        event = contract.decode_log(item)
        assert event is not None, "the journal's own events have the shape that they are compiled with"
        if topic == contract.BATCH_CLOSED:
            content.batches.append((event, item.tx_hash))
        else:
            _sort_rejection(content, event, block.number, item.index)
    for entry in content.entries:
        content.decisions[entry.merchant, entry.nonce].accepted += 1
    return content


def _sort_rare(content: BlockContent, block_number: int, item: Log) -> None:
    try:
        event = contract.decode_log(item)
    except UNREADABLE as error:
        content.quarantined.append(quarantined_event(block_number, item, None, error))
        return
    if event is None:
        unknown = LookupError("the contract has no such event")
        content.quarantined.append(quarantined_event(block_number, item, None, unknown))
    else:
        content.rare.append((item, event))


def entry_of(item: Log) -> receipts.Entry:
    """The entry that a log posts."""
    link = item.topics[2] if len(item.topics) > 2 else ZERO_WORD
    return receipts.Entry.from_log("0x" + item.topics[1][12:].hex(), item.data, link)


def leaf_of(item: Log) -> bytes:
    """The hash of the entry that a log posts: the log has all that is hashed, in the same order."""
    return keccak256(item.topics[1] + item.data + (item.topics[2] if len(item.topics) > 2 else ZERO_WORD))


def _sort_rejection(content: BlockContent, event: contract.ContractEvent, block_number: int, log_index: int) -> None:
    arguments = event.arguments
    key = (arguments["merchant"], arguments["nonce"])
    decision = content.decisions[key]
    item = arguments.get("item", -1)
    reason = Reason(arguments["reason"]).code
    if item >= 0:
        decision.refused[item] = reason
    else:
        decision.order_reason = reason
        decision.digest = bytes.fromhex(arguments["digest"][2:])
    content.rejections.append(
        Rejection(
            block_number=block_number,
            log_index=log_index,
            merchant=key[0],
            nonce=key[1],
            item=item,
            reason=reason,
        )
    )


def _batch(event: contract.ContractEvent, tx_hash: bytes, gas_used: int, block_number: int) -> Batch:
    arguments = event.arguments
    return Batch(
        number=arguments["batch"],
        root=bytes.fromhex(arguments["root"][2:]),
        head=bytes.fromhex(arguments["head"][2:]),
        entries=arguments["entries"],
        tx_hash=tx_hash,
        gas_used=gas_used,
        block_number=block_number,
    )


def _apply_registrations(
    session: Session, block_number: int, day: int, rare: Sequence[tuple[Log, contract.ContractEvent]]
) -> list[contract.ContractEvent]:
    """What the rare events change in reference data, before the entries that rely on it; the events of which that was applied."""
    events = [(item, event) for item, event in rare if not changes_only_position(event)]
    lock_registrations(session, [event for _, event in events])
    return [
        event
        for item, event in by_table(events, lambda one: one[1])
        if apply_or_quarantine(session, block_number, day, item, event, is_registration=True)
    ]


def _apply_to_positions(
    session: Session,
    block_number: int,
    day: int,
    rare: Sequence[tuple[Log, contract.ContractEvent]],
    registered: Sequence[contract.ContractEvent],
) -> None:
    """What they change in positions, after the entries: accounts are locked before positions."""
    for event in registered:
        apply_to_position(session, event)
    for item, event in rare:
        if changes_only_position(event):
            apply_or_quarantine(session, block_number, day, item, event)


def settlement_of(
    session: Session,
    events: Iterable[RareEvent],
    failed_calls: Sequence[Call],
    day: int,
    booked: Mapping[int, int] | None = None,
) -> BlockSettlement:
    """What a block with these events does to positions and daily caps beside its entries. `booked` is what its entries have used of
    each agreement's cap, where that is in the database already."""
    events = list(events)
    paid = merchants_paid(events) | {call.arguments[0] for call in failed_calls}
    known = MerchantRepository(session).known(paid) if paid else set()
    return BlockSettlement(frozenset(known), _inherited_uses(session, events, day, booked))


def _inherited_uses(
    session: Session, events: Iterable[RareEvent], day: int, booked: Mapping[int, int] | None
) -> dict[int, int]:
    """What each new agreement begins with: the use of the day, before this block, of the one that it supersedes."""
    uses = AgreementUseRepository(session)
    inherited: dict[int, int] = {}
    for event in events:
        terms = event.arguments["terms"] if event.name == "AgreementRegistered" else {}
        if superseded := terms.get("supersedes"):
            before = -booked.get(superseded, 0) if booked is not None else inherited.get(superseded, 0)
            if points := uses.burnt(superseded, day) + before:
                inherited[event.arguments["agreement"]] = points
    return inherited
