"""What Hypothesis draws: plans for orders, which become real orders only when it is known what the network looks like.

A plan says "exchange a third of what some member has, and spoil the evidence"; `Drafter` finds a member, a program and an agreement
for which that makes sense. Most plans are good, because a batch of refusals moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar, cast

from hypothesis import strategies as st

from tests.contracts.network import KEYS, MEMBERS, MERCHANTS, PROGRAMS, sign_order
from tests.contracts.twins import Twins
from tongdui.audit.model.clearing_house import EXCHANGE, ClearingHouse
from tongdui.audit.model.records import Agreement
from tongdui.encoding import ZERO_WORD, address_word, keccak256, word
from tongdui.orders import NONCE_MAX, UINT64_MAX, ZERO_ADDRESS, Instruction, Kind, Order, SignedOrder
from tongdui.receipts import Entry, Evidence

_Flaw = TypeVar("_Flaw", bound=Enum)

STRANGERS_KEY = keccak256(b"nobody's key")


class ItemFlaw(Enum):
    """What may be wrong with an instruction."""

    NONE = "none"
    ZERO_POINTS = "zero points"
    ZERO_MEMBER = "zero member"
    UNKNOWN_KIND = "unknown kind"
    FOREIGN = "something of another merchant, or that does not exist"
    WRONG_PROGRAM = "another program than the agreement's"
    HIGH_MINIMUM = "a minimum that the rate does not reach"
    BAD_DAY = "an expiry day that is over"
    BAD_RECIPIENT = "nobody, oneself, or not an address"
    OTHER_EVIDENCE = "evidence for another entry"
    SPOILED_PROOF = "a proof that leads elsewhere"
    ALTERED_ENTRY = "an entry that never was"
    OTHER_MEMBER = "another member than the entry's"
    REVERSAL = "a reversal of a reversal"


class OrderFlaw(Enum):
    """What may be wrong with an order."""

    NONE = "none"
    WRONG_KEY = "signed by another merchant"
    DEAD_KEY = "signed with a key that the chain does not know, or not now"
    BROKEN_SIGNATURE = "no signature at all"
    TAMPERED = "changed after it was signed"
    EXPIRED = "too late"
    LAST_SECOND = "just in time"
    REPLAYED = "sent before, to the byte"
    USED_NONCE = "a new order with an old nonce"
    HIGH_NONCE = "the last nonce there is"


class Amount(Enum):
    """How many points, when it is not a plain number."""

    ALL = "all the member has"
    TOO_MANY = "one more than the member has"
    CAP = "all that the agreement lets through at once"
    OVER_CAP = "one more than the agreement lets through at once"
    MOST = "as many as fit 64 bits"


@dataclass(frozen=True)
class ItemPlan:
    """An instruction that is still to be written."""

    kind: Kind
    pick: int
    member: int
    amount: int | Amount
    flaw: ItemFlaw = ItemFlaw.NONE


@dataclass(frozen=True)
class OrderPlan:
    """An order that is still to be written."""

    merchant: int
    items: tuple[ItemPlan, ...]
    atomic: bool = False
    flaw: OrderFlaw = OrderFlaw.NONE


@st.composite
def _mostly(draw: st.DrawFn, good: _Flaw, flaws: Sequence[_Flaw]) -> _Flaw:
    """`good` in six of seven cases, else any of the flaws."""
    return draw(st.sampled_from(flaws)) if draw(st.sampled_from(range(7))) == 6 else good


_POINTS = st.one_of(
    st.integers(1, 3_000),
    st.integers(1, 60),
    st.sampled_from([Amount.ALL, Amount.ALL, Amount.CAP, *Amount]),
)
_WEIGHTS = {
    Kind.ISSUE: 2,
    Kind.REDEEM: 1,
    Kind.EXCHANGE: 5,
    Kind.SPEND: 3,
    Kind.TRANSFER: 2,
    Kind.REVERSE: 4,
    Kind.EXPIRE: 1,
}
_KINDS = st.sampled_from([kind for kind, weight in _WEIGHTS.items() for _ in range(weight)])


_FLAWS: dict[Kind, list[ItemFlaw]] = {
    Kind.ISSUE: [ItemFlaw.BAD_DAY],
    Kind.EXCHANGE: [ItemFlaw.WRONG_PROGRAM, ItemFlaw.HIGH_MINIMUM],
    Kind.SPEND: [ItemFlaw.WRONG_PROGRAM],
    Kind.TRANSFER: [ItemFlaw.BAD_RECIPIENT],
    Kind.REVERSE: [
        ItemFlaw.OTHER_EVIDENCE,
        ItemFlaw.SPOILED_PROOF,
        ItemFlaw.ALTERED_ENTRY,
        ItemFlaw.OTHER_MEMBER,
        ItemFlaw.REVERSAL,
    ],
}
_FLAWS_OF_ANY = [ItemFlaw.ZERO_POINTS, ItemFlaw.ZERO_MEMBER, ItemFlaw.UNKNOWN_KIND, ItemFlaw.FOREIGN]


def items(kinds: st.SearchStrategy[Kind] = _KINDS) -> st.SearchStrategy[ItemPlan]:
    """Plans for one instruction."""
    return kinds.flatmap(_ITEMS.__getitem__)


def _items_of(kind: Kind) -> st.SearchStrategy[ItemPlan]:
    flaws = _mostly(ItemFlaw.NONE, _FLAWS.get(kind, []) + _FLAWS_OF_ANY)
    return st.builds(ItemPlan, st.just(kind), st.integers(0, 60), st.integers(0, 60), _POINTS, flaws)


_ITEMS = {kind: _items_of(kind) for kind in Kind}


def orders(kinds: st.SearchStrategy[Kind] = _KINDS) -> st.SearchStrategy[OrderPlan]:
    """Plans for one order."""
    flaws = _mostly(OrderFlaw.NONE, list(OrderFlaw)[1:])
    few, many = st.lists(items(kinds), max_size=2), st.lists(items(kinds), min_size=2, max_size=8)
    contents = st.one_of(many, many, few).map(tuple)
    return st.builds(
        OrderPlan,
        st.sampled_from([1, 1, 1, 2, 2, 3, 3, 4]),
        contents,
        st.sampled_from([False, False, False, True]),
        flaws,
    )


@dataclass
class Batch:
    """Orders ready to be sent, and the evidence for their reversals by the reference of the instruction."""

    orders: list[SignedOrder] = field(default_factory=list)
    evidence: dict[bytes, Evidence] = field(default_factory=dict)

    def evidence_of(self, instruction: Instruction) -> Evidence:
        return self.evidence[instruction.ref]


class Drafter:
    """Turns plans into signed orders for the network as it is now."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.next_nonce = dict.fromkeys(MERCHANTS, 0)
        self.sent: list[SignedOrder] = []
        self.refs = 0

    @property
    def model(self) -> ClearingHouse:
        return self.twins.model

    def draft(self, plans: Sequence[OrderPlan]) -> Batch:
        """The orders that the plans ask for, with evidence."""
        batch = Batch()
        for plan in plans:
            signed = self._order(plan, batch)
            batch.orders.append(signed)
            self.sent.append(signed)
        return batch

    # ---------------------------------------------------------------- orders

    def _order(self, plan: OrderPlan, batch: Batch) -> SignedOrder:
        again = [signed for signed in self.sent if signed.order.merchant == plan.merchant]
        if plan.flaw is OrderFlaw.REPLAYED and again:
            return self._replay(again[len(plan.items) % len(again)], batch)
        at = self.twins.now + 1  # the second in which the batch will be mined
        deadlines = {OrderFlaw.EXPIRED: at - 1, OrderFlaw.LAST_SECOND: at}
        order = Order(
            merchant=plan.merchant,
            nonce=self._nonce(plan, again),
            deadline=deadlines.get(plan.flaw, at + 3_600),
            instructions=tuple(self._instruction(plan.merchant, item, batch) for item in plan.items),
            atomic=plan.atomic,
        )
        signed = sign_order(self.twins, order, self._key(plan))
        if plan.flaw is OrderFlaw.BROKEN_SIGNATURE:
            return SignedOrder(order, bytes(64))
        if plan.flaw is OrderFlaw.TAMPERED:
            return replace(signed, order=replace(order, deadline=order.deadline + 1))
        return signed

    def _replay(self, signed: SignedOrder, batch: Batch) -> SignedOrder:
        """The very same order, with the evidence that its reversals would need."""
        entries = {entry.leaf(): entry for entry in self.twins.entries()}
        for i in signed.order.instructions:
            if i.kind == Kind.REVERSE:
                entry = entries.get(i.link) or self._some_entry(0)
                batch.evidence[i.ref] = self.twins.evidence(entry)
        return signed

    def _nonce(self, plan: OrderPlan, again: Sequence[SignedOrder]) -> int:
        if plan.flaw is OrderFlaw.USED_NONCE and again:
            return again[-1].order.nonce
        if plan.flaw is OrderFlaw.HIGH_NONCE:
            return NONCE_MAX
        nonce = self.next_nonce[plan.merchant]
        self.next_nonce[plan.merchant] += 1
        return nonce

    def take_nonce(self, merchant: int) -> int:
        """The next nonce of a merchant, for what is not an order."""
        return self._nonce(OrderPlan(merchant, ()), ())

    def _key(self, plan: OrderPlan) -> bytes:
        """A live key, where there is one and the plan does not say otherwise."""
        at = self.twins.now + 1
        own = {a: k for a, k in self.model.keys.items() if k.merchant == plan.merchant}
        live = [KEYS[a] for a, k in own.items() if k.valid_from <= at < k.valid_until]
        dead = [KEYS[a] for a, k in own.items() if not k.valid_from <= at < k.valid_until]
        if plan.flaw is OrderFlaw.WRONG_KEY:
            return next(KEYS[a] for a, k in self.model.keys.items() if k.merchant != plan.merchant)
        if plan.flaw is OrderFlaw.DEAD_KEY or not live:
            return (dead or [STRANGERS_KEY])[-1]
        return live[len(plan.items) % len(live)]

    # ---------------------------------------------------------------- instructions

    def _instruction(self, merchant: int, plan: ItemPlan, batch: Batch) -> Instruction:
        if plan.flaw is not ItemFlaw.FOREIGN:
            plan = replace(plan, kind=self._possible(merchant, plan.kind))
        draft = {Kind.EXCHANGE: self._conversion, Kind.SPEND: self._conversion, Kind.REVERSE: self._reversal}
        self.refs += 1
        good = draft.get(plan.kind, self._own)(merchant, plan, keccak256(word(self.refs)), batch)
        match plan.flaw:
            case ItemFlaw.ZERO_POINTS:
                return replace(good, points=0)
            case ItemFlaw.ZERO_MEMBER:
                return replace(good, member=ZERO_ADDRESS)
            case ItemFlaw.UNKNOWN_KIND if plan.kind is not Kind.REVERSE:
                return replace(good, kind=cast("Kind", (0, 8, 255)[plan.pick % 3]))
            case ItemFlaw.HIGH_MINIMUM:
                return replace(good, min_out=UINT64_MAX)
            case ItemFlaw.OTHER_MEMBER:
                return replace(good, member=MEMBERS[plan.member % len(MEMBERS)], program=plan.pick % 8)
            case ItemFlaw.WRONG_PROGRAM:
                return replace(good, program=plan.pick % 8)
        return good

    def _possible(self, merchant: int, kind: Kind) -> Kind:
        """Another kind, where the merchant has no program or no agreement for this one."""
        own = merchant in PROGRAMS.values()
        if kind in (Kind.EXCHANGE, Kind.SPEND):
            startable = any(self._may_start(merchant, kind, a) for a in self.model.agreements.values())
            return kind if startable else Kind.REDEEM if own else Kind.SPEND
        return kind if own or kind is Kind.REVERSE else Kind.SPEND

    def _own(self, merchant: int, plan: ItemPlan, ref: bytes, _batch: Batch) -> Instruction:
        """Issue, redeem, expire, transfer: with points of one of the merchant's own programs."""
        programs = [n for n, owner in PROGRAMS.items() if owner == merchant]
        if plan.flaw is ItemFlaw.FOREIGN or not programs:
            programs = [0, *PROGRAMS, 2**32 - 1]
        program = programs[plan.pick % len(programs)]
        member = self._member(plan, program, holder=plan.kind is not Kind.ISSUE)
        day = 0
        link = ZERO_WORD
        if plan.kind is Kind.ISSUE:
            ahead = 0 if plan.flaw is ItemFlaw.BAD_DAY else plan.pick
            day = self.model.today() + ahead if plan.pick % 2 or ahead == 0 else 0
        if plan.kind is Kind.TRANSFER:
            link = self._recipient(plan, member)
        points = self._points(plan, self.model.balances.get((member, program), 0), cap=10_000)
        return Instruction(plan.kind, member, points, program, expiry_day=day, link=link, ref=ref)

    def _recipient(self, plan: ItemPlan, member: str) -> bytes:
        if plan.flaw is ItemFlaw.BAD_RECIPIENT:
            return (ZERO_WORD, address_word(member), b"\x01" + address_word(MEMBERS[0])[1:])[plan.pick % 3]
        others = [m for m in MEMBERS if m != member]
        return address_word(others[plan.pick % len(others)])

    def _conversion(self, merchant: int, plan: ItemPlan, ref: bytes, _batch: Batch) -> Instruction:
        """Exchange and spend: under an agreement that lets the merchant start."""
        numbers = [n for n, a in self.model.agreements.items() if self._may_start(merchant, plan.kind, a)]
        if plan.flaw is ItemFlaw.FOREIGN or not numbers:
            numbers = [0, *self.model.agreements, 2**32 - 1]
        number = numbers[plan.pick % len(numbers)]
        agreement = self.model.agreements.get(number)
        program = agreement.terms.source_program if agreement else 1
        cap = agreement.terms.max_points if agreement else 1
        member = self._member(plan, program, holder=True)
        points = self._points(plan, self.model.balances.get((member, program), 0), cap)
        return Instruction(plan.kind, member, points, program, agreement=number, min_out=plan.pick % 3, ref=ref)

    def _may_start(self, merchant: int, kind: Kind, agreement: Agreement) -> bool:
        t = agreement.terms
        starters = [m for bit, m in ((1, t.source_merchant), (2, t.target_merchant)) if t.initiators & bit]
        return (t.kind == EXCHANGE) == (kind is Kind.EXCHANGE) and merchant in starters

    def _reversal(self, merchant: int, plan: ItemPlan, ref: bytes, batch: Batch) -> Instruction:
        """Reverse: an entry that the merchant may reverse and of which something is left."""
        entry = self._reversible(merchant, plan)
        if plan.flaw is ItemFlaw.ALTERED_ENTRY:
            entry = replace(entry, points=min(entry.points + 1, UINT64_MAX))
        batch.evidence[ref] = self._evidence(entry, plan)
        left = entry.points - self.model.reversed.get(entry.leaf(), 0)
        points = self._points(plan, left, cap=max(1, entry.points // 2))
        return Instruction(plan.kind, entry.member, points, entry.program, link=entry.leaf(), ref=ref)

    def _reversible(self, merchant: int, plan: ItemPlan) -> Entry:
        reversals = plan.flaw is ItemFlaw.REVERSAL
        entries = [e for e in self.twins.entries() if (e.kind == Kind.REVERSE) == reversals]
        own = [e for e in entries if self._giver(e) == merchant]
        left = [e for e in own if self.model.reversed.get(e.leaf(), 0) < e.points]
        if plan.flaw is ItemFlaw.FOREIGN or not left:
            return self._some_entry(plan.pick)
        return left[-1 - plan.pick % len(left)]

    def _some_entry(self, pick: int) -> Entry:
        entries = self.twins.entries()
        return entries[pick % len(entries)] if entries else NO_ENTRY

    def _giver(self, entry: Entry) -> int:
        """Who may reverse an entry."""
        if entry.agreement:
            return self.model.agreements[entry.agreement].terms.target_merchant
        return self.model.programs[entry.program].merchant

    def _evidence(self, entry: Entry, plan: ItemPlan) -> Evidence:
        evidence = self.twins.evidence(entry)
        if plan.flaw is ItemFlaw.OTHER_EVIDENCE:
            return self.twins.evidence(self._some_entry(plan.pick))
        if plan.flaw is ItemFlaw.SPOILED_PROOF:
            return replace(evidence, proof=(*evidence.proof, keccak256(b"spoiled")))
        return evidence

    # ---------------------------------------------------------------- members and points

    def _member(self, plan: ItemPlan, program: int, *, holder: bool) -> str:
        """Someone who has points of the program, if anyone should and does."""
        holders = [m for m in MEMBERS if self.model.balances.get((m, program), 0)] if holder else []
        candidates = holders or MEMBERS
        return candidates[plan.member % len(candidates)]

    def _points(self, plan: ItemPlan, available: int, cap: int) -> int:
        match plan.amount:
            case int(points):
                return points
            case Amount.ALL:
                return max(1, available)
            case Amount.TOO_MANY:
                return min(available + 1, UINT64_MAX)
            case Amount.CAP:
                return cap
            case Amount.OVER_CAP:
                return min(cap + 1, UINT64_MAX)
            case Amount.MOST:
                return UINT64_MAX


NO_ENTRY = Entry(
    batch=1,
    index=0,
    merchant=0,
    nonce=0,
    item=0,
    kind=Kind.ISSUE,
    expiry_day=0,
    program=1,
    agreement=0,
    member=MEMBERS[0],
    points=1,
    out=0,
    settled=0,
    fee=0,
    ref=ZERO_WORD,
    link=ZERO_WORD,
)
