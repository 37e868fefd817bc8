"""How much gas a batch of orders may need: never less than the chain will want, whatever state it is in.

Who signs an order chooses what it costs: new nonce words, empty pages, agreements that nobody else uses, frames that fail. So each
word that a batch may have to read for the first time has its price, and nothing is supposed to be usual. Only what the caller knows
of the chain's state makes an order cheaper (`Savings`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from tongdui.encoding import keccak256, word
from tongdui.orders import INSTRUCTION_BYTES, LINK_BYTES, ORDER_BYTES, Kind, Touch

BATCH_GAS = 120_000
"""Of the transaction, the batch's root and head, and the operator's fees; as in the very first batch."""
_ORDER_GAS = 9_600
"""With its bytes, and a key that has not signed before."""
_INSTRUCTION_GAS = {
    Kind.ISSUE: 28_500,
    Kind.REDEEM: 14_000,
    Kind.EXCHANGE: 35_600,
    Kind.SPEND: 15_000,
    Kind.TRANSFER: 34_500,
    Kind.REVERSE: 72_000,
    Kind.EXPIRE: 14_000,
}
"""With its bytes, a link, its entry, and its members' pages: those that get points are empty, and others than those that give some.
Of a reversal: with a proof of sixteen hashes."""
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
_LOOKUPS = {Kind.REVERSE: 8}
"""Copies that an instruction looks for; the others look for one."""
_ORDER_LOOKUPS = 2
_STEP = 52
"""Of looking for a copy: for each other one in its bucket."""
_BUCKETS = 61
_NONCES = 3 + 6 * 2**32
"""Where the contract keeps the words of nonces; the auditor's kit has the whole layout."""
_FRAME = 9_000
"""Of an atomic order: the frame, what is stored before it and copied again after it, and its own refusal."""
_COPY_WORDS = 10
"""Of memory; an instruction takes as many."""
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
        """Words that were read."""
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
        self._gas += _ORDER_GAS
        self._read(("merchant", order.merchant), _WORD)
        bitmap = (order.merchant, order.nonce >> 8)
        self._read(("nonces", *bitmap), price_of_nonce_word(), bucket=_bucket_of(*bitmap))
        self._gas += _ORDER_LOOKUPS * self._table.longest * _STEP
        instructions = self._gas_of_frame(order) if order.atomic else self._gas_of_instructions(order)
        self._gas += instructions - saved.full * _NEW_PAGE - saved.shared * _OTHER_PAGE
        self._memory += order.size * (_COPY_WORDS + 2)
        self._proofs += order.reversals

    def _read(self, key: Hashable, price: int, copies: int = 1, bucket: int | None = None) -> None:
        if key not in self._seen:
            self._seen.add(key)
            self._gas += price
        added = self._table.add(key, copies, bucket)
        self._gas += added * _COPY
        self._memory += added * _COPY_WORDS

    def _gas_of_instructions(self, order: Load) -> int:
        for key, price, copies in _words(order.touches):
            self._read(key, price, copies)
        return _gas_of(order.touches, self._table.longest)

    def _gas_of_frame(self, order: Load) -> int:
        """An atomic order may undo what it did: then the next one reads the same words for the first time again. It runs on its own
        copies, and gets one part in 64 less gas than there is."""
        table = _CopyTable()
        gas = 0
        for key, price, copies in _words(order.touches):
            gas += price + table.add(key, copies) * _COPY
        gas += _gas_of(order.touches, table.longest)
        gas += _memory_gas(_TABLE_WORDS + (table.size + order.size) * (_COPY_WORDS + 2))
        self._memory = max(self._memory, _TABLE_WORDS) + order.size * (INSTRUCTION_BYTES + LINK_BYTES) // 32
        self._table = _CopyTable()
        self._frames += 1
        return _FRAME + gas + gas // 63


class _CopyTable:
    """The copies that a batch works on, in 61 buckets. Whoever chooses nonces chooses the buckets of their words."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()
        self._chosen: Counter[int] = Counter()
        self._most = 0
        self.size = 0

    @property
    def longest(self) -> int:
        """The most copies that one bucket may have. Those that nobody chooses lie side by side, in different ones."""
        others = self.size - self._chosen.total()
        return self._most + -(-2 * others // _BUCKETS)

    def add(self, key: Hashable, copies: int, bucket: int | None = None) -> int:
        """Adds the copies of what has this key; how many were not there."""
        if key in self._keys:
            return 0
        self._keys.add(key)
        self.size += copies
        if bucket is not None:
            self._chosen[bucket] += copies
            self._most = max(self._most, self._chosen[bucket])
        return copies


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


def _gas_of(touches: Mapping[Touch, int], longest: int) -> int:
    """Gas of instructions, beside the words that they share with others."""
    gas = 0
    for (kind, _, _), count in touches.items():
        gas += count * (_INSTRUCTION_GAS[Kind(kind)] + _LOOKUPS.get(Kind(kind), 1) * longest * _STEP)
    return gas


def _words(touches: Mapping[Touch, int]) -> list[tuple[Hashable, int, int]]:
    """What instructions read beside members' pages: of each a key, the price of reading it first, and how many copies it makes."""
    words: list[tuple[Hashable, int, int]] = []
    for (kind, program, agreement), count in touches.items():
        match kind:
            case Kind.EXCHANGE | Kind.SPEND:
                words.append((("agreement", agreement), _COLD + (_AGREEMENT_COPIES - 1) * _WORD, _AGREEMENT_COPIES))
            case Kind.ISSUE:
                words.append((("minted", program), _WORD, 1))
            case Kind.EXPIRE:
                words += [(("burnt", program), _WORD, 1), (("voided", program), _NEW_WORD, 0)]
            case Kind.REVERSE:  # of what, and under which agreement, its original says
                price = _COLD + _NEW_WORD + (_AGREEMENT_COPIES - 1) * _WORD
                words += [(object(), price, _AGREEMENT_COPIES) for _ in range(count)]
            case _:
                words.append((("burnt", program), _WORD, 1))
    return words


def _bucket_of(merchant: int, bitmap: int) -> int:
    return int.from_bytes(keccak256(word(merchant << 40 | bitmap) + word(_NONCES)), "big") % _BUCKETS


def _memory_gas(words: int) -> int:
    return 3 * words + words * words // 512
