"""Where the contract keeps what, and how it packs it: every slot of its storage from the state of the network.

The numbers are the compiler's; `contracts/libraries/StorageLayout.sol` draws most of them and `contracts/types/` the packed words.
Wrong ones cannot stay unseen: with a single slot too few, too many or different, the root of the storage is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ...encoding import address_word, hex_of, keccak256, word, word_text
from ...orders import AgreementTerms
from ..leaves import Leaf, LeafKind
from ..network import NetworkState

OWNER, PENDING_OWNER = 0, 1
MERCHANTS = 2
PROGRAMS = 2 + 2**32
SIGNERS = 2 + 7 * 2**32
NONCES, ROLES, COUNTS, AGREEMENTS = (SIGNERS + n for n in (1, 2, 3, 4))
DIGESTS = 6 + 10 * 2**32
AGREEMENT_COUNT, BALANCES, FUNDS, BANK_REFERENCES, NEWEST_BATCH, HEAD, ROOTS, REVERSED = (
    DIGESTS + n for n in (1, 2, 3, 4, 5, 6, 7, 8)
)

SUCCESSION = 0x9D17CF20E46F894AB8539D3C5A191CB373E86AF9D77926321AFD7B54E4CF200
"""The first of the slots with the contract's own end and its predecessor (`contracts/libraries/SuccessionStorage.sol`)."""

LANES = 4
"""Balances in a page."""
_LANE = 64
_EXCHANGE = 1
_ROLES = ("operator", "sequencer", "treasury", "pauser")
_AHEAD = 8
"""How many merchants, programs, agreements and batches that do not exist are looked at where an unknown slot is found."""


class Field(NamedTuple):
    """A part of a packed word."""

    rule: str
    """Of the finding where it is wrong."""
    low: int
    """Its lowest bit."""
    size: int
    """In bits."""
    subject: Callable[..., str]
    """What it is, in words, from the ids of the word."""
    show: Callable[[int], str] = str
    signed: bool = False

    def of(self, packed: int) -> int:
        """Its value in a packed word."""
        value = packed >> self.low & (1 << self.size) - 1
        return value - (1 << self.size) if self.signed and value >> (self.size - 1) else value


class Kind(NamedTuple):
    """A kind of word."""

    name: Callable[..., str]
    """What the whole word is, in words, from its ids."""
    fields: tuple[Field, ...]

    def pack(self, *values: int) -> int:
        """The word with these values of its fields."""
        packed = 0
        for field, value in zip(self.fields, values, strict=True):
            packed |= (value & (1 << field.size) - 1) << field.low
        return packed

    @property
    def used(self) -> int:
        """The bits that belong to a field."""
        return self.pack(*(-1 for _ in self.fields))


class Slot(NamedTuple):
    """A slot, or a part of one: parts of the same slot have bits of their own, and the same kind and ids."""

    number: int
    bits: int
    kind: Kind
    ids: tuple[Any, ...]


def mapped(base: int, key: bytes) -> int:
    """The slot of a key in the mapping at `base`. The key is a word."""
    return int.from_bytes(keccak256(key + word(base)), "big")


def page_of(program: int) -> int:
    """The page of balances that a program is in."""
    return (program - 1) // LANES


def balance_slot(member: str, program: int) -> int:
    """The slot with a member's points of a program, and of the three others of its page."""
    return mapped(BALANCES, word(page_of(program) << 160 | int(member, 16)))


def balance_in(packed: int, program: int) -> int:
    """The points of a program in a page of balances."""
    return packed >> _lane(program) & (1 << _LANE) - 1


def program_slot(program: int) -> int:
    """The first of a program's six slots: minted, burnt, voided, code, name, cap."""
    return PROGRAMS + 6 * program


def merchant_slot(merchant: int) -> int:
    """The slot of a merchant."""
    return MERCHANTS + merchant


class ProgramSeen(NamedTuple):
    """What a program's slots say."""

    merchant: int
    paused: bool
    created: int
    """All points that ever came into being."""
    destroyed: int
    """All that are gone again."""

    @property
    def supply(self) -> int:
        """The points in circulation: what the merchant owes for."""
        return self.created - self.destroyed


def program_in(minted: int, burnt: int, voided: int) -> ProgramSeen:
    """Unpacks the first three of a program's slots."""
    merchant, _, paused, *_ = values = [field.of(minted) for field in _MINTED_WORD.fields]
    gone = [field.of(burnt) for field in _BURNT_WORD.fields[len(_PROGRAM_HEAD) :]]
    return ProgramSeen(
        merchant, bool(paused), values[-1], sum(gone) + sum(field.of(voided) for field in _VOIDED_WORD.fields)
    )


def programs_in(counts: int) -> int:
    """How many programs there are, from the slot `COUNTS`."""
    return _COUNTS_WORD.fields[1].of(counts)


class MerchantSeen(NamedTuple):
    """What a merchant's slot says."""

    status: str
    credit_limit: int
    """In micros, as the position."""
    position: int


def merchant_in(packed: int) -> MerchantSeen:
    """Unpacks a merchant's slot."""
    status, limit, position = (field.of(packed) for field in _MERCHANT_WORD.fields)
    return MerchantSeen(_status(status), limit, position)


def agreement_fields(which: int, packed: int) -> tuple[int, ...]:
    """The values in one of an agreement's three words: route, price, parties."""
    return tuple(field.of(packed) for field in _AGREEMENT_WORDS[which].fields)


def cap_fields(packed: int) -> tuple[int, ...]:
    """The values in a program's last word: its cap."""
    return tuple(field.of(packed) for field in _CAP_WORD.fields)


def slots(state: NetworkState) -> Iterator[Slot]:
    """Every slot of the contract that is not zero, and some that are. Parts of the same slot may come apart from each other."""
    yield from _single_slots(state)
    for part in (_of_merchants, _of_programs, _of_agreements, _of_balances, _of_journal):
        yield from part(state)


def leaf_parts(state: NetworkState) -> Iterator[Leaf]:
    """The same as leaves of a snapshot, but for what a successor does not take over: owner, roles and its own end. The balances of
    a page may come apart from each other."""
    for slot in slots(state):
        leaf_of = _LEAVES.get(id(slot.kind))
        if leaf_of is not None and slot.bits:
            kind, key = leaf_of
            yield Leaf(kind, key(*slot.ids), slot.bits)


def possible_slots(state: NetworkState) -> Iterator[Slot]:
    """Slots that are zero but have a meaning: of those who come next, and of everybody who is known, for what they do not have."""
    one = state.one
    pages = range(page_of(one["programs"]) + 1)
    for ahead in range(_AHEAD):
        merchant, program, agreement, batch = (
            one[name] + ahead + (name != "merchants") for name in ("merchants", "programs", "agreements", "batches")
        )
        yield Slot(merchant_slot(merchant), 0, _MERCHANT_WORD, (merchant,))
        yield from _in_a_row(program_slot(program), [(kind, 0) for kind in _PROGRAM_WORDS], program)
        yield from _in_a_row(AGREEMENTS + 3 * agreement, [(kind, 0) for kind in _AGREEMENT_WORDS], agreement)
        yield Slot(mapped(ROOTS, word(batch)), 0, _ROOT_WORD, (batch,))
    for number in range(one["merchants"]):
        for page in range(_AHEAD):
            yield Slot(mapped(NONCES, word(number << 40 | page)), 0, _NONCES_WORD, (number, page))
    for address in _addresses(state):
        yield Slot(mapped(SIGNERS, address_word(address)), 0, _SIGNER_WORD, (address,))
        for role in range(len(_ROLES)):
            yield Slot(mapped(mapped(ROLES, word(role)), address_word(address)), 0, _ROLE_WORD, (_ROLES[role], address))
        for page in pages:
            yield Slot(balance_slot(address, page * LANES + 1), 0, _PAGE_WORD, (address, page))


def _addresses(state: NetworkState) -> Iterator[str]:
    """Everybody who is known; members as often as they have balances."""
    yield state.one["admin"]
    yield from (key for key, _ in state.keys.stored())
    yield from (account for (_, account), _ in state.roles.stored())
    yield from (member for (member, _), _ in state.balances.stored())


# ---------------------------------------------------------------- how values are shown


def _points(value: int) -> str:
    return f"{value:,} points"


def _micros(value: int) -> str:
    return f"{value:,} micros"


def _yes_no(value: int) -> str:
    return "yes" if value else "no"


def _address(value: int) -> str:
    return f"0x{value:040x}"


def _hash(value: int) -> str:
    return hex_of(word(value))


def _text(value: int) -> str:
    try:
        return f"“{word_text(word(value))}”"
    except UnicodeDecodeError:
        return _hash(value)


def _status(value: int) -> str:
    names = ("none", "active", "suspended", "closed")
    return names[value] if value < len(names) else str(value)


# ---------------------------------------------------------------- the kinds of words


def _whole(rule: str, what: str, show: Callable[[int], str]) -> Kind:
    """A word of which all bits are one value. In `what` the word's ids stand as {0}, {1}."""
    return Kind(what.format, (Field(rule, 0, 256, what.format, show),))


def _parts(what: str, *fields: tuple[str, str, int, int, Callable[[int], str]]) -> Kind:
    """A word of several values: rule, name, lowest bit and size of each, and how it is shown."""
    return Kind(
        what.format,
        tuple(Field(rule, low, size, f"{name} of {what}".format, show) for rule, name, low, size, show in fields),
    )


_OWNER_WORD = _whole("storage.owner", "owner of the contract", _address)
_PENDING_OWNER_WORD = _whole("storage.owner", "account that may become owner of the contract", _address)
_FUNDS_WORD = _whole("storage.funds", "settlement funds, deposits minus withdrawals", _micros)
_HEAD_WORD = _whole("storage.head", "head of the journal", _hash)
_ROOT_WORD = _whole("storage.root", "root of batch {0}", _hash)
_REVERSED_WORD = _whole("storage.reversed", "reversed points of the entry with leaf {0}", _points)
_DIGEST_WORD = _whole("storage.agreement", "agreement that was registered with the digest {0}", str)
_BANK_REFERENCE_WORD = _whole("storage.bank_reference", "whether bank reference {0} is used", _yes_no)
_ROLE_WORD = _whole("storage.role", "whether {1} holds the role {0}", _yes_no)
_CODE_WORD = _whole("storage.program", "code of program {0}", _text)
_NAME_WORD = _whole("storage.program", "name of program {0}", _text)
_COUNTS_WORD = _parts(
    "the network",
    ("storage.count", "number of merchants", 0, 32, str),
    ("storage.count", "number of programs", 32, 32, str),
)
_AGREEMENT_COUNT_WORD = _parts("the network", ("storage.count", "number of agreements", 0, 32, str))
_NEWEST_BATCH_WORD = _parts(
    "the network",
    ("storage.paused", "pause", 0, 8, _yes_no),
    ("storage.batch", "number of the newest batch", 8, 40, str),
    ("storage.batch", "number of the first batch of the newest batch's day", 48, 40, str),
    ("storage.batch", "day of the newest batch", 88, 32, str),
)
_MERCHANT_WORD = Kind(
    "merchant {0}".format,
    (
        Field("storage.status", 0, 8, "status of merchant {0}".format, _status),
        Field("storage.credit_limit", 96, 64, "credit limit of merchant {0}".format, _micros),
        Field("storage.position", 160, 96, "position of merchant {0}".format, _micros, signed=True),
    ),
)
_SIGNER_WORD = _parts(
    "key {0}",
    ("storage.signer", "merchant", 0, 32, str),
    ("storage.signer", "beginning", 32, 40, str),
    ("storage.signer", "end", 72, 40, str),
)
_PROGRAM_HEAD = (
    ("storage.program", "merchant", 0, 32, str),
    ("storage.program", "existence", 32, 1, _yes_no),
    ("storage.program", "pause", 33, 1, _yes_no),
)
_MINTED_WORD = _parts(
    "program {0}",
    *_PROGRAM_HEAD,
    ("storage.issuance_cap", "existence of a cap", 34, 1, _yes_no),
    ("storage.totals", "total restored", 64, 64, _points),
    ("storage.totals", "total exchanged in", 128, 64, _points),
    ("storage.totals", "total of all points ever minted", 192, 64, _points),
)
_BURNT_WORD = _parts(
    "program {0}",
    *_PROGRAM_HEAD,
    ("storage.totals", "total redeemed", 64, 64, _points),
    ("storage.totals", "total spent", 128, 64, _points),
    ("storage.totals", "total exchanged out", 192, 64, _points),
)
_VOIDED_WORD = _parts(
    "program {0}",
    ("storage.totals", "total expired", 64, 64, _points),
    ("storage.totals", "total revoked", 128, 64, _points),
)
_CAP_WORD = _parts(
    "program {0}",
    ("storage.issuance_cap", "cap of a day's issues", 0, 64, _points),
    ("storage.issuance_cap", "issues of the cap's last day", 64, 64, _points),
    ("storage.issuance_cap", "next cap of a day's issues", 128, 64, _points),
    ("storage.issuance_cap", "first day of the next cap", 192, 32, str),
    ("storage.issuance_cap", "last day of issues under a cap", 224, 32, str),
)
_ROUTE_WORD = _parts(
    "agreement {0}",
    ("storage.agreement", "kind", 0, 4, str),
    ("storage.agreement", "initiators", 4, 4, str),
    ("storage.agreement", "fee in basis points", 8, 16, str),
    ("storage.agreement", "lifetime in days", 24, 16, str),
    ("storage.agreement", "source program", 40, 24, str),
    ("storage.agreement", "target", 64, 32, str),
    ("storage.agreement", "beginning", 96, 40, str),
    ("storage.agreement", "end", 136, 40, str),
    ("storage.agreement", "day of the last use", 176, 16, str),
    ("storage.agreement", "use of that day", 192, 64, _points),
)
_PRICE_WORD = _parts(
    "agreement {0}",
    ("storage.agreement", "rate's numerator", 0, 32, str),
    ("storage.agreement", "rate's denominator", 32, 32, str),
    ("storage.agreement", "unit price", 64, 64, _micros),
    ("storage.agreement", "most points of an instruction", 128, 64, _points),
    ("storage.agreement", "daily cap", 192, 64, _points),
)
_PARTIES_WORD = _parts(
    "agreement {0}",
    ("storage.agreement", "source merchant", 0, 32, str),
    ("storage.agreement", "target merchant", 32, 32, str),
    ("storage.agreement", "predecessor", 64, 32, str),
    ("storage.agreement", "seconds of grace", 96, 32, str),
    ("storage.agreement", "last moment of acceptance", 128, 40, str),
    ("storage.agreement", "keeping of the expiry day", 168, 1, _yes_no),
)

_PROGRAM_WORDS = (_MINTED_WORD, _BURNT_WORD, _VOIDED_WORD, _CODE_WORD, _NAME_WORD, _CAP_WORD)
_AGREEMENT_WORDS = (_ROUTE_WORD, _PRICE_WORD, _PARTIES_WORD)
_PROGRESS_WORD = _parts(
    "the network",
    ("storage.succession", "stage", 0, 8, str),
    ("storage.succession", "number of sums that differ", 8, 32, str),
    ("storage.succession", "number of imported leaves", 40, 32, str),
    ("storage.succession", "number of leaves of the predecessor's snapshot", 72, 32, str),
    ("storage.succession", "chain of the predecessor", 104, 64, str),
)
_PREDECESSOR_WORD = _whole("storage.succession", "address of the predecessor", _address)
_PREDECESSOR_HEAD_WORD = _whole("storage.succession", "head of the predecessor", _hash)
_SNAPSHOT_WORD = _whole("storage.succession", "root of the predecessor's snapshot", _hash)
_DIFFERENCE_WORD = _whole("storage.succession", "difference of sum {0}", str)


def _balance_of(lane: int) -> Callable[[str, int], str]:
    return lambda member, page: f"balance of {member} in program {page * LANES + lane + 1}"


def _nonce(bit: int) -> Callable[[int, int], str]:
    return lambda merchant, page: f"whether nonce {page << 8 | bit} of merchant {merchant} is used"


_PAGE_WORD = Kind(
    "balances of {0}, page {1}".format,
    tuple(Field("storage.balance", _LANE * n, _LANE, _balance_of(n), _points) for n in range(LANES)),
)
_NONCES_WORD = Kind(
    "nonces of merchant {0}, page {1}".format,
    tuple(Field("storage.nonce", bit, 1, _nonce(bit), _yes_no) for bit in range(256)),
)


# ---------------------------------------------------------------- leaves of a snapshot


def _only(key: int) -> Callable[..., int]:
    return lambda *_: key


def _with_field(field: int) -> Callable[[int], int]:
    return lambda number: number << 8 | field


def _hex(text: str) -> int:
    return int(text, 16)


def _number_of(number: int) -> int:
    return number


_LEAF_WORDS: tuple[tuple[Kind, LeafKind, Callable[..., int]], ...] = (
    (_COUNTS_WORD, LeafKind.NETWORK, _only(0)),
    (_AGREEMENT_COUNT_WORD, LeafKind.NETWORK, _only(1)),
    (_FUNDS_WORD, LeafKind.NETWORK, _only(2)),
    (_NEWEST_BATCH_WORD, LeafKind.NETWORK, _only(3)),
    (_HEAD_WORD, LeafKind.NETWORK, _only(4)),
    (_MERCHANT_WORD, LeafKind.MERCHANT, _number_of),
    (_SIGNER_WORD, LeafKind.SIGNER, _hex),
    (_NONCES_WORD, LeafKind.NONCES, lambda merchant, page: merchant << 40 | page),
    *((kind, LeafKind.PROGRAM, _with_field(field)) for field, kind in enumerate(_PROGRAM_WORDS)),
    *((kind, LeafKind.AGREEMENT, _with_field(field)) for field, kind in enumerate(_AGREEMENT_WORDS)),
    (_DIGEST_WORD, LeafKind.TERMS, _hex),
    (_PAGE_WORD, LeafKind.BALANCES, lambda member, page: page << 160 | int(member, 16)),
    (_BANK_REFERENCE_WORD, LeafKind.BANK_REFERENCE, _hex),
    (_ROOT_WORD, LeafKind.ROOT, _number_of),
    (_REVERSED_WORD, LeafKind.REVERSED, _hex),
)
_LEAVES = {id(kind): (leaf, key) for kind, leaf, key in _LEAF_WORDS}
"""Kind and key of the leaf that a word becomes, by the identity of the kind of word."""


# ---------------------------------------------------------------- the slots


def _single_slots(state: NetworkState) -> Iterator[Slot]:
    """What there is one of."""
    one = state.one
    batches = one["batches"]
    yield Slot(OWNER, int(one["admin"], 16), _OWNER_WORD, ())
    yield Slot(PENDING_OWNER, int(one["pending admin"], 16), _PENDING_OWNER_WORD, ())
    yield Slot(COUNTS, _COUNTS_WORD.pack(one["merchants"], one["programs"]), _COUNTS_WORD, ())
    yield Slot(AGREEMENT_COUNT, one["agreements"], _AGREEMENT_COUNT_WORD, ())
    yield Slot(FUNDS, one["funds"], _FUNDS_WORD, ())
    yield Slot(HEAD, _number(one["head"]), _HEAD_WORD, ())
    newest = (batches, one["first batch of the day"], state.day_of[batches] if batches else 0)
    yield Slot(NEWEST_BATCH, _NEWEST_BATCH_WORD.pack(one["paused"], *newest), _NEWEST_BATCH_WORD, ())
    yield from _of_succession(state)


def _of_succession(state: NetworkState) -> Iterator[Slot]:
    chain, house, leaves, head, root = state.one["predecessor"]
    progress = (state.one["stage"], sum(1 for _ in state.differences.stored()), state.one["imported"], leaves, chain)
    yield Slot(SUCCESSION, _PROGRESS_WORD.pack(*progress), _PROGRESS_WORD, ())
    yield Slot(SUCCESSION + 1, int(house, 16), _PREDECESSOR_WORD, ())
    yield Slot(SUCCESSION + 2, _number(head), _PREDECESSOR_HEAD_WORD, ())
    yield Slot(SUCCESSION + 3, _number(root), _SNAPSHOT_WORD, ())
    for number, difference in state.differences.stored():
        yield Slot(mapped(SUCCESSION + 4, word(number)), difference % 2**256, _DIFFERENCE_WORD, (number,))


def _of_merchants(state: NetworkState) -> Iterator[Slot]:
    for number, merchant in state.merchants.stored():
        packed = _MERCHANT_WORD.pack(merchant.status, merchant.credit_limit, merchant.position)
        yield Slot(merchant_slot(number), packed, _MERCHANT_WORD, (number,))
    for key, signer in state.keys.stored():
        yield Slot(mapped(SIGNERS, address_word(key)), _SIGNER_WORD.pack(*signer), _SIGNER_WORD, (key,))
    for (number, page), bits in state.nonces.stored():
        yield Slot(mapped(NONCES, word(number << 40 | page)), bits, _NONCES_WORD, (number, page))
    for (role, account), held in state.roles.stored():
        base = mapped(ROLES, word(role))
        yield Slot(mapped(base, address_word(account)), int(held), _ROLE_WORD, (_ROLES[role], account))
    for reference, used in state.bank_refs.stored():
        yield Slot(mapped(BANK_REFERENCES, reference), int(used), _BANK_REFERENCE_WORD, (hex_of(reference),))


def _of_programs(state: NetworkState) -> Iterator[Slot]:
    for number, program in state.programs.stored():
        head, totals, cap = (program.merchant, 1, program.paused), program.totals, program.cap
        words = (
            _MINTED_WORD.pack(*head, cap.points > 0, totals.restored, totals.exchanged_in, totals.created),
            _BURNT_WORD.pack(*head, totals.redeemed, totals.spent, totals.exchanged_out),
            _VOIDED_WORD.pack(totals.expired, totals.revoked),
            _number(program.code),
            _number(program.name),
            _CAP_WORD.pack(*cap),
        )
        yield from _in_a_row(program_slot(number), zip(_PROGRAM_WORDS, words, strict=True), number)


def _of_agreements(state: NetworkState) -> Iterator[Slot]:
    for number, agreement in state.agreements.stored():
        words = _agreement_words(agreement.terms, state.use[number])
        yield from _in_a_row(AGREEMENTS + 3 * number, zip(_AGREEMENT_WORDS, words, strict=True), number)
    for digest, number in state.registered.stored():
        yield Slot(mapped(DIGESTS, digest), number, _DIGEST_WORD, (hex_of(digest),))


def _agreement_words(t: AgreementTerms, use: Any) -> tuple[int, int, int]:
    target = t.target_program if t.kind == _EXCHANGE else t.target_merchant
    times = (t.valid_from, t.valid_until, use.day, use.points)
    route = _ROUTE_WORD.pack(t.kind, t.initiators, t.fee_bps, t.lifetime_days, t.source_program, target, *times)
    price = _PRICE_WORD.pack(t.rate_num, t.rate_den, t.unit_price_micros, t.max_points, t.daily_cap)
    others = (t.supersedes, t.grace_seconds, t.accept_by, t.keep_expiry)
    parties = _PARTIES_WORD.pack(t.source_merchant, t.target_merchant, *others)
    return route, price, parties


def _of_balances(state: NetworkState) -> Iterator[Slot]:
    for (member, program), points in state.balances.stored():
        lane = points % 2**_LANE << _lane(program)  # a member that gave what it did not have would have fewer than none
        yield Slot(balance_slot(member, program), lane, _PAGE_WORD, (member, page_of(program)))


def _of_journal(state: NetworkState) -> Iterator[Slot]:
    for batch, root in state.roots.stored():
        yield Slot(mapped(ROOTS, word(batch)), _number(root), _ROOT_WORD, (batch,))
    for leaf, points in state.reversed.stored():
        yield Slot(mapped(REVERSED, leaf), points, _REVERSED_WORD, (hex_of(leaf),))


def _in_a_row(first: int, words: Iterable[tuple[Kind, int]], number: int) -> Iterator[Slot]:
    for offset, (kind, packed) in enumerate(words):
        yield Slot(first + offset, packed, kind, (number,))


def _lane(program: int) -> int:
    """The lowest bit of a program's lane in its page."""
    return _LANE * ((program - 1) % LANES)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
