"""How much gas a batch of orders may need: never less than the chain will want, whatever state it is in.

Who signs an order chooses what it costs: new nonce words, empty pages, agreements that nobody else uses, frames that fail. So each
word that a batch may have to read for the first time has its price, and nothing is supposed to be usual. Only what the caller knows
of the chain's state makes an order cheaper (`Savings`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

from tongdui.encoding import keccak256, word
from tongdui.orders import INSTRUCTION_BYTES, LINK_BYTES, ORDER_BYTES, Kind, Touch

BATCH_GAS = 120_000
"""Of the transaction, the batch's root and head, and the operator's fees; as in the very first batch."""
_ORDER_GAS = 9_600
"""With its bytes, and a key that has not signed before."""
_NEW_PAGE = 17_100
_OTHER_PAGE = 5_000
_WORD = 5_000
"""A word that is read and changed for the first time."""
_COLD = 2_100
"""A word that is read for the first time."""
_NEW_WORD = 22_100
"""A word that is read and changed for the first time, and was zero."""
_COPY = 700
"""A batch's copy of a word: made, kept and stored."""
_AGREEMENT_COPIES = 6
"""An agreement's route, both sides and both positions; and one to spare."""
_AGREEMENT_GAS = _COLD + (_AGREEMENT_COPIES - 1) * _WORD
_INSTRUCTION_GAS: dict[int, int] = {
    Kind.ISSUE: 28_500,
    Kind.REDEEM: 14_000,
    Kind.EXCHANGE: 35_600,
    Kind.SPEND: 15_000,
    Kind.TRANSFER: 34_500,
    Kind.REVERSE: 72_000 + _NEW_WORD + _AGREEMENT_GAS + _AGREEMENT_COPIES * _COPY,
    Kind.EXPIRE: 14_000,
}
"""With its bytes, a link, its entry, and its members' pages: those that get points are empty, and others than those that give some.
Of a reversal: with a proof of sixteen hashes, under an agreement and of a program of its own; only its original says which."""
_TOUCH_GAS: dict[int, int] = {
    Kind.ISSUE: 2 * _WORD,
    Kind.EXCHANGE: _AGREEMENT_GAS,
    Kind.SPEND: _AGREEMENT_GAS,
    Kind.EXPIRE: _WORD + _NEW_WORD,
    Kind.REVERSE: 0,
}
"""What the first instruction of a kind reads of its program or agreement, and the next ones do not; by default a side. Of an issue:
with the program's cap, which the operator may set at any time."""
_TOUCH_COPIES: dict[int, int] = {
    Kind.ISSUE: 2,
    Kind.EXCHANGE: _AGREEMENT_COPIES,
    Kind.SPEND: _AGREEMENT_COPIES,
    Kind.REVERSE: 0,
}
"""How many copies that makes; by default one."""
_LOOKUPS: dict[int, int] = {Kind.ISSUE: 2, Kind.REVERSE: 8}
"""Copies that an instruction looks for; by default one."""
_ORDER_LOOKUPS = 2
_STEP = 52
"""Of looking for a copy: for each other one in its bucket."""
_BUCKETS = 61
_NONCES = 3 + 7 * 2**32
"""Where the contract keeps the words of nonces; the auditor's kit has the whole layout."""
_FRAME = 9_000
"""Of an atomic order: the frame, what is stored before it and copied again after it, and its own refusal."""
_COPY_WORDS = 10
"""Of memory."""
_INSTRUCTION_WORDS = 12
_TABLE_WORDS = 100
_PROOF_WORDS = 24
"""Of evidence: an entry with a proof of sixteen hashes."""


class Savings(NamedTuple):
    """What is known of the pages in which an order's instructions put points; all of them cost less than was supposed."""

    full: int = 0
    """How many have points already."""
    shared: int = 0
    """How many of its exchanges put them where they took some."""


NOTHING_KNOWN = Savings()


class Load(NamedTuple):
    """An order, as far as its gas depends on it."""

    merchant: int
    nonce: int
    touches: Counter[Touch]
    atomic: bool = False

    @property
    def size(self) -> int:
        """How many instructions it has."""
        return self.touches.total()

    @property
    def reversals(self) -> int:
        """How many of them reverse."""
        return sum(count for (kind, _, _), count in self.touches.items() if kind == Kind.REVERSE)


class GasMeter:
    """Adds up the most gas that a batch of orders can need, order by order."""

    def __init__(self) -> None:
        self._gas = BATCH_GAS
        self._seen: set[Hashable] = set()
        """What was read."""
        self._table = _CopyTable()
        self._memory = _TABLE_WORDS
        self._frames = 0
        self._proofs = 0

    @property
    def gas(self) -> int:
        """The most that the orders added so far can need. An atomic order hands on all proofs of the batch."""
        proofs = self._proofs * _PROOF_WORDS
        handed_on = self._frames * 3 * proofs
        return self._gas + handed_on + _memory_gas(self._memory + (proofs if self._frames else 0))

    def add(self, order: Load, saved: Savings = NOTHING_KNOWN) -> None:
        """Adds an order of which so much is known."""
        if order.merchant not in self._table:
            self._read(order.merchant, _WORD, 1)
        nonces = (order.merchant, order.nonce >> 8)
        if nonces not in self._table:
            self._read(nonces, price_of_nonce_word(), 1, _bucket_of(*nonces))
        gas = _ORDER_GAS + _ORDER_LOOKUPS * self._table.longest * _STEP
        gas += self._gas_of_frame(order) if order.atomic else self._gas_of_instructions(order)
        self._gas += gas - saved.full * _NEW_PAGE - saved.shared * _OTHER_PAGE

    def _read(self, key: Hashable, price: int, copies: int, bucket: int | None = None) -> None:
        if key not in self._seen:
            self._seen.add(key)
            self._gas += price
        self._table.add(key, copies, bucket)
        self._gas += copies * _COPY
        self._memory += copies * _COPY_WORDS

    def _gas_of_instructions(self, order: Load) -> int:
        gas = 0
        for touch, count in order.touches.items():
            kind = touch[0]
            if touch not in self._table:
                self._read(touch, _TOUCH_GAS.get(kind, _WORD), _TOUCH_COPIES.get(kind, 1))
            if kind == Kind.REVERSE:
                self._proofs += count
                self._memory += count * _AGREEMENT_COPIES * _COPY_WORDS
                self._table.add(touch, count * _AGREEMENT_COPIES)
            self._memory += count * _INSTRUCTION_WORDS
            gas += count * (_INSTRUCTION_GAS[kind] + _LOOKUPS.get(kind, 1) * self._table.longest * _STEP)
        return gas

    def _gas_of_frame(self, order: Load) -> int:
        """An atomic order may undo what it did: then the next one reads the same for the first time again. So it is as if it were
        alone; and it gets one part in 64 less gas than there is."""
        frame = GasMeter()
        gas = frame._gas_of_instructions(order) + frame.gas - BATCH_GAS
        self._memory += frame._memory
        self._proofs += frame._proofs
        self._frames += 1
        self._table = _CopyTable()
        return _FRAME + gas + gas // 63


class _CopyTable:
    """The copies that a batch works on, in 61 buckets. Whoever chooses nonces chooses the buckets of their words."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()
        self._chosen: Counter[int] = Counter()
        self._spread = 0
        self.longest = 0
        """The most copies that one bucket may have. Those that nobody chooses lie side by side, in different ones."""

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def add(self, key: Hashable, copies: int, bucket: int | None = None) -> None:
        """Adds the copies of what has this key."""
        self._keys.add(key)
        if bucket is None:
            self._spread += copies
        else:
            self._chosen[bucket] += copies
        self.longest = max(self._chosen.values(), default=0) + -(-2 * self._spread // _BUCKETS)


def price_of_nonce_word() -> int:
    """Gas of the first of 256 nonces that is used. Whoever signs with sparse nonces makes a batch pay it with each order.

    A test that wants to see batches run out of gas lets this return 0.
    """
    return _NEW_WORD


def fits_alone(order: Load, gas: int, length: int) -> bool:
    """Whether a transaction of so much gas and so many bytes can hold the order, whatever it needs."""
    meter = GasMeter()
    meter.add(order)
    packed = ORDER_BYTES + order.size * (INSTRUCTION_BYTES + LINK_BYTES)
    return meter.gas <= gas and packed + bytes_of_proofs(order) <= length


def bytes_of_proofs(order: Load) -> int:
    """The most bytes that the proofs of an order's reversals have."""
    return 32 * _PROOF_WORDS * order.reversals


def _bucket_of(merchant: int, bitmap: int) -> int:
    return int.from_bytes(keccak256(word(merchant << 40 | bitmap) + word(_NONCES)), "big") % _BUCKETS


def _memory_gas(words: int) -> int:
    return 3 * words + words * words // 512
