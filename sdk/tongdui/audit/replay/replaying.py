"""Replays the contract's chain, call after call, and shows what happened to those who watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...orders import AgreementTerms, Instruction, Kind, Reason
from ...receipts import Entry, Evidence
from ..chain.calls import UNKNOWN, SignedBy
from ..chain.proving import Block, Call
from ..findings import Finding, Place
from ..model.adopting import adopt
from ..model.clearing_house import ClearingHouse
from ..model.records import Predecessor, Reverted, Role, SignerChange, Status
from ..tables import Tables
from ..watching import BlockSeen, EntrySeen, Event, EventSeen, Watcher
from .differences import Item, batch_differences, call_difference, item_of, order_differences
from .indirect import OF_THE_OWNER, ROLES, reconstructed
from .rules import rule_of_error

_TYPES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "setRole": lambda role, account, held: (Role(role), account, held),
    "setMerchantStatus": lambda merchant, status: (merchant, Status(status)),
    "beginImport": lambda predecessor: (Predecessor(*predecessor),),
    "changeSigner": lambda change, *signatures: (SignerChange(*change), *signatures),
}
"""How arguments of a call become those of the model's method, where they are others."""

NONSENSE = (ArithmeticError, LookupError, ValueError)
"""What the model and the watchers raise at numbers that no contract writes: of no kind, of nobody, divided by zero."""


class Replay:
    """The chain so far, in the model."""

    def __init__(self, house: ClearingHouse, contract: str, tables: Tables, watchers: Sequence[Watcher]) -> None:
        """Begins, or goes on where the tables stand.

        Args:
            house: The model, as it was founded.
            contract: The contract's address, in lower case.
            tables: Where findings and counts are kept.
            watchers: Who sees each entry and event, one after the other.
        """
        self.house = house
        self.contract = contract
        self.tables = tables
        self.watchers = tuple(watchers)
        self._findings = tables.table("findings", load=_finding, dump=_stored_finding)  # by number
        self._counts = tables.table("counts", default=0)
        self._indirect = tables.table("calls through contracts", default=0)  # by contract and method

    def findings(self) -> tuple[Finding, ...]:
        """What does not hold, in the order in which it was found."""
        return tuple(self._findings[number] for number in range(self._counts["findings"]))

    def count(self, what: str) -> int:
        """How many `blocks`, `calls`, `orders`, `entries` or `findings` there were so far."""
        return self._counts[what]  # type: ignore[no-any-return]

    def believed_calls(self) -> Iterator[tuple[str, str, int]]:
        """Calls through other contracts, whose arguments nobody can see: contract, event, and how many."""
        yield from ((contract, event, count) for (contract, event), count in self._indirect.stored())

    def find(self, findings: Sequence[Finding]) -> None:
        """Notes what does not hold."""
        for finding in findings:
            self._findings[self._counts["findings"]] = finding
            self._counts["findings"] += 1

    def take(self, block: Block) -> None:
        """Replays a block."""
        self.find(block.faults)
        self._counts["blocks"] += 1
        if not block.calls:
            return
        self.house.now = block.time
        seen = BlockSeen(block.number, block.hash, block.time, self.house.today())
        for call in block.calls:
            if call.events or call.succeeded:
                _CallReplay(self, seen, call).run()

    def end(self, block: BlockSeen) -> list[Finding]:
        """What the watchers conclude after the last block. It is kept nowhere: a resumed audit ends later."""
        return [finding for watcher in self.watchers for finding in watcher.at_end(block)]

    # ---------------------------------------------------------------- for calls

    def succeed(self, block: BlockSeen) -> None:
        """Shows the watchers what the contract took over from its predecessor."""
        for watcher in self.watchers:
            watcher.on_succession(self.house, block)

    def counted(self, what: str, more: int = 1) -> None:
        """Counts."""
        self._counts[what] += more

    def believe(self, contract: str, event: str) -> None:
        """Notes a call through a contract."""
        self._indirect[contract, event] += 1


class _CallReplay:
    """One transaction."""

    def __init__(self, replay: Replay, block: BlockSeen, call: Call) -> None:
        self._replay = replay
        self._house = replay.house
        self._block = block
        self._call = call
        self._place = Place(block=block.number, transaction=call.transaction)
        self._sender = call.sender if call.to in (replay.contract, None) else str(call.to)

    def run(self) -> None:
        call = self._call
        self._replay.counted("calls")
        if call.method == "execute":
            self._execute(*call.arguments)
        elif call.method == UNKNOWN:
            self._unknown(call.arguments[0])
        elif call.method:
            self._compare(call.method, self._sender, call.arguments, call.events)
        else:
            self._through_contract()

    def _unknown(self, data: bytes) -> None:
        """A call that is none of the functions that change something. Anybody may call what only answers: that has no events."""
        if self._call.events:
            self._find("call.unknown", "the call", "one of the contract's functions", f"input 0x{data[:8].hex()}…")
            self._take_over(self._call.events)

    def _find(self, rule: str, subject: str, expected: str, found: str) -> None:
        self._replay.find([Finding(rule, subject, expected, found, self._place)])

    # ---------------------------------------------------------------- plain calls

    def _compare(self, method: str, by: str, arguments: Sequence[Any], found: Sequence[Event]) -> None:
        """Makes the call on the model and compares the events."""
        house = self._house
        with self._replay.tables.attempt() as take_back:
            try:
                adapt = _TYPES.get(method)
                getattr(house, _snake(method))(by, *(arguments if adapt is None else adapt(*arguments)))
                expected = house.take_events()
            except (Reverted, *NONSENSE) as error:
                take_back()
                house.take_events()
                self._find(*_refusal(error, method, by, found))
                self._take_over(found)
                return
            if [(name, _flat(values)) for name, values in expected] != list(found):
                take_back()
                self._replay.find([call_difference(method, expected, found, self._place)])
                self._take_over(found)
                return
        self._show(found)

    def _found(self, events: Sequence[Event]) -> None:
        """The contract's creation: the model was founded with what it says."""
        expected = self._house.take_events()
        if expected != list(events):
            self._replay.find([call_difference("the constructor", expected, events, self._place)])
            self._take_over(events)
        else:
            self._show(events)

    def _through_contract(self) -> None:
        """Calls that another contract made, such as a timelock: what they were is read off the events."""
        events = list(self._call.events)
        founding = len(
            self._house.events
        )  # in the transaction that created the contract, itself or through another one
        if founding:
            self._found(events[:founding])
            events = events[founding:]
        while events:
            made = reconstructed(events, self._sender)
            if made is None:
                self._replay.believe(self._sender, events[0][0])
                self._take_over(events[:1])
                events = events[1:]
            else:
                method, by, arguments, length = made
                self._sender = self._caller_of(method, by, events[0][0])
                self._compare(method, self._sender, arguments, events[:length])
                events = events[length:]

    def _caller_of(self, method: str, by: str, event: str) -> str:
        """Who made a call, if not the contract that the transaction called: that may have had others make it. Whoever it was had to
        be allowed to."""
        house, role = self._house, ROLES.get(method)
        if method in OF_THE_OWNER:
            allowed = [house.admin]
        elif role is not None:
            allowed = sorted(account for (of, account), held in house.roles.stored() if of == role and held)
        else:
            return by
        if by in allowed or not allowed:
            return by
        self._replay.believe(by, event)
        return str(allowed[0])

    # ---------------------------------------------------------------- batches

    def _execute(self, orders: Sequence[SignedBy], evidence: Sequence[Evidence]) -> None:
        house, events = self._house, self._call.events
        try:
            house.begin_batch(self._sender, sum(len(one.signed.order.instructions) for one in orders))
        except Reverted as error:
            self._find(*_refusal(error, "execute", self._sender, events))
        place, leaves = 0, list[bytes]()
        expected = {(one.signed.order.merchant, one.signed.order.nonce) for one in orders}
        for one in orders:
            place = self._skip_invented(place, one, expected, leaves)
            end = _end_of_order(events, place, one.signed.order.merchant, one.signed.order.nonce)
            self._replay_order(one, evidence, events[place:end], leaves)
            place = end
        place = self._skip_invented(place, None, set(), leaves)
        self._close(events[place:], leaves)

    def _skip_invented(
        self, place: int, order: SignedBy | None, expected: set[tuple[int, int]], leaves: list[bytes]
    ) -> int:
        """Passes over events that belong to no order of the batch."""
        events = self._call.events
        while place < len(events):
            item = item_of(events[place])
            if item is None:
                if events[place][0] == "BatchClosed":
                    break
            elif item[:2] in expected and order is not None:
                break
            self._replay.find(tuple(order_differences([], [events[place]], self._place)))
            if item is None:
                self._find("call.events", "call of execute", "events of orders and entries", events[place][0])
            self._take_over(events[place : place + 1], leaves=leaves)
            place += 1
        return place

    def _replay_order(
        self, one: SignedBy, evidence: Sequence[Evidence], found: Sequence[Event], leaves: list[bytes]
    ) -> None:
        house, order = self._house, one.signed.order
        self._replay.counted("orders")
        proofs = {
            id(instruction): evidence[position]
            for instruction, position in zip(order.instructions, one.evidence, strict=True)
            if instruction.kind == Kind.REVERSE and position < len(evidence)
        }

        def evidence_of(instruction: Instruction) -> Evidence | None:
            return proofs.get(id(instruction))

        made: list[bytes] = []
        with self._replay.tables.attempt() as take_back:
            try:
                made = house.execute_order(order, one.digest, one.signer, len(leaves), evidence_of)
            except NONSENSE:  # it is about something that the chain invented before, which was found then
                house.events.clear()
            expected = house.take_events()
            holds = len(expected) == len(found) and all(a[1] == b[1] for a, b in zip(expected, found, strict=True))
            if not holds:
                take_back()
        originals = {proof.entry.leaf(): proof.entry for proof in proofs.values()}
        if holds:
            leaves.extend(made)
            self._show(found, made, originals)
            return
        if not found:
            subject = f"order {order.nonce} of merchant {order.merchant}"
            self._find("order.missing", subject, f"{len(expected)} events", "none")
            return
        self._replay.find(tuple(order_differences(expected, found, self._place)))
        self._take_over(found, originals, leaves)

    def _close(self, events: Sequence[Event], leaves: list[bytes]) -> None:
        house = self._house
        found = events[0] if events else None
        with self._replay.tables.attempt() as take_back:
            house.close_batch(leaves)
            (expected,) = house.take_events()
            holds = expected == found and len(events) == 1
            if not holds:
                take_back()
        if holds:
            self._show(events)
            return
        self._replay.find(tuple(batch_differences(expected, found, self._place)))
        if len(events) > 1:
            self._replay.find([call_difference("execute", [expected], events, self._place)])
        self._take_over(events)

    # ---------------------------------------------------------------- watchers

    def _take_over(
        self, events: Sequence[Event], originals: dict[bytes, Entry] | None = None, leaves: list[bytes] | None = None
    ) -> None:
        """Goes on from what the chain says, whether or not it was allowed."""
        for event in events:
            name, values = event
            entry = values[0] if values and isinstance(values[0], Entry) else None
            original = None if entry is None or originals is None else originals.get(entry.link)
            made = [] if entry is None else [entry.leaf()]
            if leaves is not None:
                leaves.extend(made)
            with self._replay.tables.attempt() as take_back:
                try:
                    adopt(self._house, event, original)
                    self._show([(name, values)], made, originals or {})
                except NONSENSE:
                    take_back()  # that it is wrong was found already; what it means, nobody can say

    def _show(
        self, events: Sequence[Event], leaves: Sequence[bytes] = (), originals: dict[bytes, Entry] | None = None
    ) -> None:
        """Shows events to the watchers. `leaves` are those of the entries among them."""
        number = 0
        for name, values in events:
            if values and isinstance(values[0], Entry):
                self._show_entry(values[0], leaves[number], originals or {})
                number += 1
                continue
            seen = EventSeen(name, values, self._block, self._call.transaction, self._sender)
            if name == "Opened":
                self._replay.succeed(self._block)
            for watcher in self._replay.watchers:
                found = watcher.on_event(seen)
                if found:
                    self._replay.find(found)
        if number:
            self._replay.counted("entries", number)

    def _show_entry(self, entry: Entry, leaf: bytes, originals: dict[bytes, Entry]) -> None:
        terms = self._terms_of(entry.agreement) if entry.agreement else None
        original = originals.get(entry.link) if entry.kind == Kind.REVERSE else None
        seen = EntrySeen(entry, leaf, self._block, self._call.transaction, terms, original)
        if not _makes_sense(seen):
            return  # it was found already; what it moved, nobody can say
        for watcher in self._replay.watchers:
            found = watcher.on_entry(seen)
            if found:
                self._replay.find(found)

    def _terms_of(self, agreement: int) -> AgreementTerms | None:
        known = self._house.agreements.get(agreement)
        return None if known is None else known.terms


def _makes_sense(seen: EntrySeen) -> bool:
    """Whether an entry has a known kind, and what it refers to is known: an agreement, an original."""
    moved = seen.entry if seen.entry.kind != Kind.REVERSE else seen.original
    if moved is None or moved.kind not in set(Kind) or moved.kind == Kind.REVERSE:
        return False
    return seen.terms is not None or moved.kind not in (Kind.EXCHANGE, Kind.SPEND)


def _end_of_order(events: Sequence[Event], place: int, merchant: int, nonce: int) -> int:
    """Where the events end that may be of one order: its items in turn, or its rejection.

    The next order may have the same merchant and nonce. Then it is rejected, and only what undoes an atomic order follows on items.
    """
    first, last = place, -1
    while place < len(events):
        item: Item | None = item_of(events[place])
        if item is None or item[:2] != (merchant, nonce):
            break
        if item[2] is None:
            return place + (place == first or events[place][1][3] == Reason.ATOMIC_FAILED)
        if item[2] <= last:
            break
        last = item[2]
        place += 1
    return place


def _refusal(error: Exception, method: str, by: str, found: Sequence[Event]) -> tuple[str, str, str, str]:
    """Rule, subject, expected and found of a call that the rules refuse."""
    if isinstance(error, Reverted):
        arguments = ", ".join(str(one) if not isinstance(one, bytes) else f"0x{one.hex()}" for one in error.arguments)
        rule, why = rule_of_error(error.error), f"{error.error}({arguments})"
    else:
        rule, why = "call.refused", str(error)
    done = ", ".join(dict.fromkeys(name for name, _ in found)) or "no event, but no refusal either"
    return rule, f"call of {method} by {by}", f"refused: {why}", f"done: {done}"


def _flat(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _finding(stored: Sequence[Any]) -> Finding:
    rule, subject, expected, found, place = stored
    return Finding(rule, subject, expected, found, Place(*place))


def _stored_finding(finding: Finding) -> tuple[Any, ...]:
    place = finding.place
    return (
        finding.rule,
        finding.subject,
        finding.expected,
        finding.found,
        (place.block, place.transaction, place.batch, place.index),
    )
