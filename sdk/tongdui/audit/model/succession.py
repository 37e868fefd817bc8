"""The end of a clearing house, and what its successor takes over, in plain Python: the rules of `ClearingHouseSuccession.sol`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

from ...encoding import hex_of, word
from ...orders import ZERO_ADDRESS, AgreementTerms
from ...receipts import merkle_root, root_of_proof
from ..chain import layout
from ..leaves import CHUNK, Leaf, LeafKind, LotWord
from ..network import NetworkState
from ..tables import Table
from .records import Agreement, Cap, Key, Merchant, Predecessor, Program, Stage, Status, Use, require

LOTS = 2**32
"""What the number of a program's sum of lots is higher than that of its sum of balances."""
FUNDS = 2**64
_FIELDS = {LeafKind.PROGRAM: 6, LeafKind.AGREEMENT: 3}
_ONLY_SAID = {LeafKind.NAME, LeafKind.DOCUMENT, LeafKind.LOT}
_MOST_NETWORK = 4


class House(NetworkState, Protocol):
    """A clearing house, as far as its end and its beginning are concerned."""

    imported_keys: Table[tuple[int, bytes], bool]

    @property
    def admin(self) -> str:
        """The owner."""

    @property
    def stage(self) -> Stage:
        """Whether it works, imports, or has ended."""

    @property
    def predecessor(self) -> Predecessor:
        """Whose state it took over."""

    @property
    def funds(self) -> int:
        """In micros."""

    @property
    def head(self) -> bytes:
        """Of the journal."""

    def count(self, of: str) -> int:
        """How many there are of something."""

    def emit(self, event: str, *args: Any) -> None:
        """Says what happened."""


def freeze(house: House, by: str) -> None:
    """Ends the house."""
    _require_owner(house, by)
    _require_stage(house, Stage.OPERATING)
    adopt_frozen(house)
    counts = (house.count(of) for of in ("merchants", "programs", "agreements"))
    house.emit("OwnershipTransferred", by, ZERO_ADDRESS)
    house.emit("Frozen", house.count("batches"), house.head, house.funds, *counts)


def adopt_frozen(house: House) -> None:
    """Leaves the house as a freeze does."""
    house.one["admin"] = house.one["pending admin"] = ZERO_ADDRESS
    house.one["paused"] = True
    house.one["stage"] = Stage.FROZEN


def begin_import(house: House, by: str, predecessor: Predecessor) -> None:
    """Makes a new house the successor of another one."""
    _require_owner(house, by)
    _require_stage(house, Stage.OPERATING)
    counts = [house.count(of) for of in ("merchants", "programs", "agreements", "batches")]
    fresh = counts == [1, 0, 0, 0] and house.merchants[0] == Merchant(0) and house.funds == 0
    require(fresh and house.predecessor == Predecessor(), "NotEmpty")
    named = predecessor.house != ZERO_ADDRESS and predecessor.leaves and any(predecessor.root)
    require(bool(named), "BadPredecessor")
    adopt_begun(house, predecessor)
    house.emit("ImportBegun", tuple(predecessor))


def adopt_begun(house: House, predecessor: Predecessor) -> None:
    """Leaves the house as the beginning of an import does."""
    house.merchants[0] = Merchant(0, 0, Status.NONE)
    house.one["merchants"] = 0
    house.one["paused"] = True
    house.one["stage"] = Stage.IMPORTING
    house.one["predecessor"] = tuple(predecessor)


def import_leaves(house: House, first: int, leaves: Sequence[Leaf], proof: Sequence[bytes]) -> None:
    """Takes over a chunk of the snapshot."""
    _require_stage(house, Stage.IMPORTING)
    imported, predecessor = house.one["imported"], house.predecessor
    left = predecessor.leaves - imported
    require(first == imported, "UnexpectedLeaf", first, imported)
    require(len(leaves) == min(left, CHUNK), "BadChunk", len(leaves), min(left, CHUNK))
    node = merkle_root([leaf.hash_at(first + number) for number, leaf in enumerate(leaves)])
    require(left > 0 and root_of_proof(node, proof) == predecessor.root, "BadProof", first)
    for index, leaf in enumerate(leaves, first):
        require(_is_known(leaf), "BadLeaf", index)
        require(not _is_there(house, leaf), "AlreadyImported", index)
        if leaf.kind == LeafKind.NETWORK and leaf.key == 3:
            require(bool(leaf.word & 1), "BadLeaf", index)
        adopt_leaf(house, index, leaf)
        house.emit("LeafImported", index, *leaf)


def open_house(house: House, by: str) -> None:
    """Sets the house to work."""
    _require_owner(house, by)
    _require_stage(house, Stage.IMPORTING)
    predecessor, imported = house.predecessor, house.one["imported"]
    require(imported == predecessor.leaves, "ImportIncomplete", imported, predecessor.leaves)
    require(house.one["unbalanced"] == 0, "TotalsDiffer", house.one["unbalanced"])
    require(house.head == predecessor.head, "HeadDiffers", house.head, predecessor.head)
    adopt_opened(house)
    house.emit("Opened", house.count("batches"), house.head, house.funds)


def adopt_opened(house: House) -> None:
    """Leaves the house as its opening does."""
    house.one["stage"] = Stage.OPERATING
    house.one["paused"] = False


def _require_owner(house: House, by: str) -> None:
    require(by == house.admin, "OwnableUnauthorizedAccount", by)


def _require_stage(house: House, stage: Stage) -> None:
    require(house.stage == stage, "WrongStage", house.stage)


# -------------------------------------------------------------------- leaves


def adopt_leaf(house: House, index: int, leaf: Leaf) -> None:
    """Takes a leaf's word for what the state is."""
    _TAKE[LeafKind(leaf.kind)](house, leaf.key, leaf.word)
    for number, amount in _sums(leaf):
        _add(house, number, amount)
    house.one["imported"] = index + 1


def _is_known(leaf: Leaf) -> bool:
    if leaf.kind in _FIELDS:
        return leaf.key >> 40 == 0 and leaf.key & 0xFF < _FIELDS[LeafKind(leaf.kind)]
    if leaf.kind == LeafKind.NETWORK:
        return leaf.key <= _MOST_NETWORK
    return leaf.kind in set(LeafKind) and (leaf.kind != LeafKind.MERCHANT or leaf.key < 2**32)


def _is_there(house: House, leaf: Leaf) -> bool:
    """Whether the leaf was imported before. Each leaf has its number in the tree, so only a snapshot that has it twice says so."""
    seen = house.imported_keys[leaf.kind, word(leaf.key)]
    if leaf.kind == LeafKind.SIGNER and _address(leaf.key) in house.keys:
        return True  # of merchant 0, from before the import
    if leaf.kind in _ONLY_SAID or not leaf.word:
        return False
    house.imported_keys[leaf.kind, word(leaf.key)] = True
    return seen


def _network(house: House, key: int, packed: int) -> None:
    one = house.one
    if key == 0:
        one["merchants"], one["programs"] = packed & 2**32 - 1, packed >> 32
    elif key == 1:
        one["agreements"] = packed
    elif key == 2:
        one["funds"] = packed
    elif key == 3:
        batches, first, day = packed >> 8 & 2**40 - 1, packed >> 48 & 2**40 - 1, packed >> 88 & 2**32 - 1
        one["batches"], one["first batch of the day"] = batches, first
        for batch in range(first, batches + 1):
            house.day_of[batch] = day
    else:
        one["head"] = word(packed)


def _merchant(house: House, key: int, packed: int) -> None:
    micros = packed >> 160
    position = micros - (2**96 if micros >> 95 else 0)
    house.merchants[key] = Merchant(packed >> 96 & 2**64 - 1, position, Status(packed & 0xFF))


def _signer(house: House, key: int, packed: int) -> None:
    day = 2**40 - 1
    house.keys[_address(key)] = Key(packed & 2**32 - 1, packed >> 32 & day, packed >> 72 & day)


def _nonces(house: House, key: int, packed: int) -> None:
    house.nonces[key >> 40, key & 2**40 - 1] = packed


def _program(house: House, key: int, packed: int) -> None:
    number, field = key >> 8, key & 0xFF
    known: Program = house.programs.get(number) or Program(0, bytes(32), bytes(32))
    lanes = [packed >> low & 2**64 - 1 for low in (64, 128, 192)]
    totals = known.totals
    if field == 0:
        restored, exchanged_in, created = lanes
        totals = totals._replace(restored=restored, exchanged_in=exchanged_in, issued=created - restored - exchanged_in)
        known = known._replace(merchant=packed & 2**32 - 1, paused=bool(packed >> 33 & 1), totals=totals)
    elif field == 1:
        redeemed, spent, exchanged_out = lanes
        known = known._replace(totals=totals._replace(redeemed=redeemed, spent=spent, exchanged_out=exchanged_out))
    elif field == 2:
        expired, revoked, _ = lanes
        known = known._replace(totals=totals._replace(expired=expired, revoked=revoked))
    elif field == 3:
        known = known._replace(code=word(packed))
    elif field == 4:
        known = known._replace(name=word(packed))
    else:
        known = known._replace(cap=Cap(*layout.cap_fields(packed)))
    house.programs[number] = known


def _agreement(house: House, key: int, packed: int) -> None:
    number, field = key >> 8, key & 0xFF
    known = house.agreements.get(number)
    terms: AgreementTerms = known.terms if known is not None else _NO_TERMS
    values = layout.agreement_fields(field, packed)
    changes: dict[str, Any] = dict(zip(_TERMS[field], values, strict=True))
    if field == 0:
        house.use[number] = Use(changes.pop("day"), changes.pop("points"))
        target = changes.pop("target")
        changes["target_program"] = target if changes["kind"] == _EXCHANGE else 0
    elif field == 2:
        changes["keep_expiry"] = bool(changes["keep_expiry"])
    house.agreements[number] = Agreement(replace(terms, **changes))


_EXCHANGE = 1
_TERMS: tuple[tuple[str, ...], ...] = (
    (
        *("kind", "initiators", "fee_bps", "lifetime_days", "source_program", "target"),
        *("valid_from", "valid_until", "day", "points"),
    ),
    ("rate_num", "rate_den", "unit_price_micros", "max_points", "daily_cap"),
    ("source_merchant", "target_merchant", "supersedes", "grace_seconds", "accept_by", "keep_expiry"),
)
"""What an agreement's three words say, in the order of their fields."""


def _balances(house: House, key: int, packed: int) -> None:
    member = _address(key & 2**160 - 1)
    for lane in range(layout.LANES):
        house.balances[member, (key >> 160) * layout.LANES + lane + 1] = packed >> 64 * lane & 2**64 - 1


def _document(house: House, key: int, packed: int) -> None:
    known = house.agreements.get(key)
    if known is not None:
        house.agreements[key] = Agreement(replace(known.terms, document=word(packed)))


def _set_root(house: House, key: int, packed: int) -> None:
    house.roots[key] = word(packed)


def _set(table: str, value: Callable[[int], Any]) -> Callable[[House, int, int], None]:
    def take(house: House, key: int, packed: int) -> None:
        getattr(house, table)[word(key)] = value(packed)

    return take


def _set_name(house: House, key: int, packed: int) -> None:
    house.names[key] = word(packed)


def _nothing(_house: House, _key: int, _packed: int) -> None:
    """The watcher of lots takes them."""


_TAKE: dict[LeafKind, Callable[[House, int, int], None]] = {
    LeafKind.NETWORK: _network,
    LeafKind.MERCHANT: _merchant,
    LeafKind.SIGNER: _signer,
    LeafKind.NONCES: _nonces,
    LeafKind.PROGRAM: _program,
    LeafKind.AGREEMENT: _agreement,
    LeafKind.TERMS: _set("registered", int),
    LeafKind.BALANCES: _balances,
    LeafKind.BANK_REFERENCE: _set("bank_refs", bool),
    LeafKind.ROOT: _set_root,
    LeafKind.REVERSED: _set("reversed", int),
    LeafKind.NAME: _set_name,
    LeafKind.DOCUMENT: _document,
    LeafKind.LOT: _nothing,
}
_NOTHING: dict[str, Any] = {field.name: 0 for field in fields(AgreementTerms)}
_NO_TERMS = AgreementTerms(**{**_NOTHING, "keep_expiry": False, "document": bytes(32)})


def _address(number: int) -> str:
    return hex_of(word(number)[12:])


# -------------------------------------------------------------------- sums


def _sums(leaf: Leaf) -> list[tuple[int, int]]:
    """Which sums a leaf adds to, and what."""
    if leaf.kind == LeafKind.PROGRAM:
        number, field = leaf.key >> 8, leaf.key & 0xFF
        low, middle, high = (leaf.word >> bit & 2**64 - 1 for bit in (64, 128, 192))
        points = {0: high, 1: -(low + middle + high), 2: -(low + middle)}.get(field, 0)
        return [(number, points), (LOTS + number, points)]
    if leaf.kind == LeafKind.BALANCES:
        first = (leaf.key >> 160) * layout.LANES + 1
        return [(first + lane, -(leaf.word >> 64 * lane & 2**64 - 1)) for lane in range(layout.LANES)]
    if leaf.kind == LeafKind.LOT:
        return [(LOTS + (leaf.key >> 160), -LotWord.of(leaf.word).points)]
    if leaf.kind == LeafKind.MERCHANT:
        micros = leaf.word >> 160
        return [(FUNDS, (2**96 if micros >> 95 else 0) - micros)]
    if leaf.kind == LeafKind.NETWORK and leaf.key == 2:
        return [(FUNDS, leaf.word)]
    return []


def _add(house: House, number: int, amount: int) -> None:
    before = house.differences[number]
    after = before + amount
    house.differences[number] = after
    house.one["unbalanced"] += bool(after) - bool(before)
