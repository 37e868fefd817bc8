"""How many points of each lot are left: a pure function of the chain's entries, so that anyone with the chain can repeat it.

The rules (docs/decisions/0001-lots-are-replayed.md and 0020-a-hold-keeps-its-day.md say why):

- An issue makes a lot, and so does the target side of an exchange. A lot is over on the day `expiry_day` (0: never).
- Points leave the lots that are not over yet: the first to expire goes first, lots that never expire go last, and the older of two
  equals goes before the younger. Only then do points leave lots that are over. An expiry takes lots that are over first. The day
  that counts is that of the entry's block; for a captured hold it is the day the hold was taken, which the entry's link says.
- A transfer carries its portions along: they stay part of the lots that they came from.
- Where an agreement keeps the expiry, an exchange makes a lot for each lot that it took from, as large as that one's share of the
  points, and over on the earlier of the two days.
- A reversal returns points to the very lots that the original took them from, last taken first: what stays spent is what a smaller
  movement would have taken. Points that a reversal takes back come from what the original gave, as far as it is still there.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.effects import recipient_of
from tongdui.orders import Kind
from tongdui.receipts import Entry

NEVER = 2**32
"""Sorts behind every expiry day. (An account's `due_on`, a column of 32 bits, has its own words for no day.)"""
_CAPTURED_KINDS = frozenset({Kind.REDEEM, Kind.EXCHANGE, Kind.SPEND})
"""What a hold can become. The link of any other kind means something else."""


class LotError(Exception):
    """The entries contradict each other: some are missing, or they are not the chain's."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Which lot. Origins sort in the order in which points are taken."""

    expires: int
    """Day number on which the lot is over; NEVER if it never is."""
    batch: int
    index: int
    leaf: bytes
    """The entry that made the lot."""

    @property
    def expiry_day(self) -> int:
        """As in the entry: 0 means never."""
        return 0 if self.expires == NEVER else self.expires

    def is_over(self, day: int) -> bool:
        """Whether the lot's points have expired on `day`."""
        return self.expires <= day


@dataclass(frozen=True, slots=True)
class Portion:
    """Points of one lot."""

    origin: Origin
    points: int


@dataclass(slots=True)
class Holdings:
    """What one account has of each lot."""

    points: dict[Origin, int] = field(default_factory=dict)
    order: list[Origin] = field(default_factory=list)
    """The keys of `points`, sorted."""

    def add(self, portion: Portion) -> None:
        """Puts points into their lot."""
        if portion.origin not in self.points:
            insort(self.order, portion.origin)
            self.points[portion.origin] = 0
        self.points[portion.origin] += portion.points

    def take(self, points: int, preferred: Iterable[Portion], day: int, *, over_first: bool) -> list[Portion]:
        """Takes points: first as much of `preferred` as is there, then by the rule. Returns them in the order of taking."""
        taken: list[Portion] = []
        for portion in preferred:
            points -= self._take_from(portion.origin, min(points, portion.points), taken)
        while points:
            origin = self._next(day, over_first=over_first)
            if origin is None:
                raise LotError(f"{points} points more were taken than the account had")
            points -= self._take_from(origin, points, taken)
        return taken

    def _next(self, day: int, *, over_first: bool) -> Origin | None:
        if not self.order:
            return None
        if over_first:
            return self.order[0]
        return next((origin for origin in self.order if not origin.is_over(day)), self.order[0])

    def _take_from(self, origin: Origin, wanted: int, taken: list[Portion]) -> int:
        points = min(wanted, self.points.get(origin, 0))
        if not points:
            return 0
        taken.append(Portion(origin, points))
        if points < self.points[origin]:
            self.points[origin] -= points
        else:
            del self.points[origin]
            self.order.remove(origin)
        return points


@dataclass(frozen=True, slots=True)
class Posting:
    """An entry with what its place in the chain adds to it."""

    entry: Entry
    leaf: bytes
    day: int
    """The network day of its block."""


@dataclass(frozen=True, slots=True)
class Original:
    """An entry before the beginning of a replay that a reversal within it undoes."""

    entry: Entry
    leaf: bytes
    taken: list[Portion]
    """What it took."""
    points_back: int = 0
    """How much of that earlier reversals have returned,"""
    out_back: int = 0
    """and how much they have taken back of what it gave."""


@dataclass(slots=True)
class Start:
    """Where a replay of some addresses begins that does not begin at the beginning."""

    last_batches: dict[str, int] = field(default_factory=dict)
    """The addresses, and the batch after which each of them begins. The replay leaves all others out."""
    holdings: dict[AccountKey, list[Portion]] = field(default_factory=dict)
    """What their accounts have there."""
    taken: dict[bytes, list[Portion]] = field(default_factory=dict)
    """By leaf: what transfers to them took elsewhere."""
    originals: dict[bytes, Original] = field(default_factory=dict)
    """By leaf."""


@dataclass(slots=True)
class _Movement:
    """What an entry moved and no reversal has undone."""

    entry: Entry
    taken: list[Portion] = field(default_factory=list)
    given: list[Portion] = field(default_factory=list)


class Replay:
    """Accounts' lots, entry by entry. Feed it entries in the chain's order (batch, index)."""

    def __init__(
        self, targets: Mapping[int, int], *, keeps_expiry: Collection[int] = (), start: Start | None = None
    ) -> None:
        """`targets` maps an agreement to its target program (0 for none); those in `keeps_expiry` hand the source's expiry on.
        Without a `start` the first entry is the chain's first, and every address counts."""
        self._targets = targets
        self._keeps_expiry = keeps_expiry
        self._start = start
        self._accounts: dict[AccountKey, Holdings] = defaultdict(Holdings)
        self._movements: dict[bytes, _Movement] = {}
        self.draws: dict[bytes, tuple[int, int, list[Portion]]] = {}
        """By leaf: the place of each entry that took something, and what it took."""
        self.last_batches: dict[str, int] = {}
        """The newest batch that touched each address that takes part."""
        for account, portions in start.holdings.items() if start is not None else ():
            for portion in portions:
                self._accounts[account].add(portion)

    def apply(self, entry: Entry, day: int, leaf: bytes | None = None) -> None:
        """Applies an entry of a block of this day. Whoever knows its leaf spares the hashing."""
        leaf = leaf or entry.leaf()
        if entry.kind == Kind.REVERSE:
            self._reverse(entry, day)
            return
        movement = self._movements[leaf] = _Movement(entry)
        if entry.kind != Kind.ISSUE:
            movement.taken = self._take_for(entry, leaf, day)
        movement.given = self._given_by(entry, leaf, movement.taken)
        if (receiver := self._receiver_of(entry)) is not None:
            self._give(receiver, movement.given, entry.batch)

    def lots(self, account: AccountKey) -> list[Portion]:
        """The account's portions in the order in which they will be used (lots that are over come first)."""
        holdings = self._accounts.get(account)
        return [Portion(origin, holdings.points[origin]) for origin in holdings.order] if holdings is not None else []

    def programs_of(self, address: str) -> list[int]:
        """The programs in which an address has points."""
        return sorted(program for owner, program in self._accounts if owner == address)

    def taken_by(self, leaf: bytes) -> list[Portion]:
        """What an entry took and no reversal returned, in the order in which it was taken."""
        return self._movements[leaf].taken[:]

    # ---------------------------------------------------------------- movements

    def _take_for(self, entry: Entry, leaf: bytes, day: int) -> list[Portion]:
        """What an entry takes; where its giver is none of those who count, what is known of it."""
        if not self._concerns(entry.member, entry.batch):
            return (self._start.taken.get(leaf, []) if self._start is not None else [])[:]
        holdings = self._accounts[entry.member, entry.program]
        over_first = entry.kind == Kind.EXPIRE
        taken = holdings.take(entry.points, [], day_that_counts(entry, day), over_first=over_first)
        self.draws[leaf] = (entry.batch, entry.index, taken[:])
        return taken

    def _given_by(self, entry: Entry, leaf: bytes, taken: list[Portion]) -> list[Portion]:
        """What an entry gives, after what it took."""
        match Kind(entry.kind):
            case Kind.TRANSFER:
                return taken[:]
            case Kind.EXCHANGE if entry.agreement in self._keeps_expiry:
                return _converted(entry, leaf, taken)
            case Kind.EXCHANGE if entry.out:
                return [Portion(_new_lot(entry, leaf), entry.out)]
            case Kind.ISSUE:
                return [Portion(_new_lot(entry, leaf), entry.points)]
            case _:
                return []

    def _receiver_of(self, entry: Entry) -> AccountKey | None:
        """The account into which an entry brings points."""
        match Kind(entry.kind):
            case Kind.TRANSFER:
                return recipient_of(entry), entry.program
            case Kind.EXCHANGE if entry.out:
                return entry.member, self._targets[entry.agreement]
            case Kind.ISSUE:
                return entry.member, entry.program
            case _:
                return None

    def _reverse(self, entry: Entry, day: int) -> None:
        movement = self._movements.get(entry.link) or self._earlier(entry.link)
        if movement is None:
            raise LotError(f"the entry that entry {entry.index} of batch {entry.batch} reverses is missing")
        original = movement.entry
        if (receiver := self._receiver_of(original)) is not None:
            points = entry.out if original.kind == Kind.EXCHANGE else entry.points
            preferred, movement.given = _last(movement.given, points)
            if self._concerns(receiver[0], entry.batch):
                self._accounts[receiver].take(points, preferred, day, over_first=False)
        back, movement.taken = _last(movement.taken, entry.points)
        self._give((original.member, original.program), back, entry.batch)

    def _earlier(self, leaf: bytes) -> _Movement | None:
        """What is left of a movement from before the beginning."""
        original = self._start.originals.get(leaf) if self._start is not None else None
        if original is None:
            return None
        given = self._given_by(original.entry, leaf, original.taken)
        back = original.out_back if original.entry.kind == Kind.EXCHANGE else original.points_back
        left_taken = _last(original.taken, original.points_back)[1]
        movement = self._movements[leaf] = _Movement(original.entry, left_taken, _last(given, back)[1])
        return movement

    def _give(self, account: AccountKey, portions: Iterable[Portion], batch: int) -> None:
        if self._concerns(account[0], batch):
            for portion in portions:
                self._accounts[account].add(portion)

    def _concerns(self, address: str, batch: int) -> bool:
        """Whether this address's accounts take part in entries of this batch."""
        if self._start is None:
            return True
        last = self._start.last_batches.get(address)
        if last is None or batch <= last:
            return False
        self.last_batches[address] = batch
        return True


def day_that_counts(entry: Entry, day: int) -> int:
    """The day that decides which lots an entry of a block of this `day` takes for over.

    A captured hold's entry says on which day the hold was taken. A link that is no day up to the block's own says nothing: as on a
    day to come, lots that are alive would count as over, and a merchant could choose which of them the member keeps.
    """
    taken_on = int.from_bytes(entry.link)
    return taken_on if entry.kind in _CAPTURED_KINDS and 0 < taken_on <= day else day


def _new_lot(entry: Entry, leaf: bytes, no_later_than: int = NEVER) -> Origin:
    return Origin(min(entry.expiry_day or NEVER, no_later_than), entry.batch, entry.index, leaf)


def _converted(entry: Entry, leaf: bytes, taken: Iterable[Portion]) -> list[Portion]:
    """What an exchange makes of the portions that it took, where each keeps its expiry. Fractions add up: nothing is lost."""
    given: list[Portion] = []
    burnt = made = 0
    for portion in taken:
        burnt += portion.points
        points = entry.out * burnt // entry.points - made
        made += points
        if points:
            given.append(Portion(_new_lot(entry, leaf, portion.origin.expires), points))
    return given


def _last(portions: list[Portion], points: int) -> tuple[list[Portion], list[Portion]]:
    """The last `points` of the portions, last first, and the portions that are left."""
    rest = portions[:]
    last: list[Portion] = []
    while points and rest:
        portion = rest.pop()
        some = min(points, portion.points)
        last.append(Portion(portion.origin, some))
        points -= some
        if some < portion.points:
            rest.append(Portion(portion.origin, portion.points - some))
    return last, rest
