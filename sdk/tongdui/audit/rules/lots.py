"""Which points expire when, worked out again from the entries alone (docs/audit.md has the rules in words).

A lot is one number: its expiry day, then the batch and the index of the entry that made it. So lots sort in the order in which
points are taken from them. A portion is a pair of a lot and its points.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...orders import AgreementTerms, Kind
from ...receipts import Entry
from ..days import day_text, month_text
from ..findings import Finding, NotChecked, Place
from ..leaves import LeafKind, LotWord
from ..tables import Tables
from ..watching import BlockSeen, EntrySeen, EventSeen, Watcher

RULES = {
    "lots.expired_early": "an expire instruction takes points only from the day on which they are over",
    "lots.expired_late": "points that are over are expired within a few days",
    "lots.not_expired": "no points are left that have been over for more than a few days",
    "lots.expired_spent": "points that are over are not redeemed, spent, exchanged or given away",
    "lots.old_hold": "a captured hold is no older than a hold can be",
    "lots.missing": "an account's lots have all the points that an entry takes",
}

LATE_DAYS = 3
"""How many days points may be over before somebody must have expired them."""
LONGEST_HOLD = 7
"""Days between a hold and its capture: what a network allows if nobody has set anything else."""

_NEVER = 2**32
_DAY_BITS, _BATCH_BITS = 56, 16
_CAPTURED = frozenset({Kind.REDEEM, Kind.EXCHANGE, Kind.SPEND})
_USES = frozenset({*_CAPTURED, Kind.TRANSFER})
_EXAMPLES = 3

Portion = tuple[int, int]
"""A lot, and points of it."""
Account = tuple[str, int]
"""A member's address and a program."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Points of an account that came together."""

    points: int
    expiry_day: int
    """0 means never."""
    made_on: int
    """The day of the entry that made it."""
    batch: int
    index: int


@dataclass(frozen=True, slots=True, order=True)
class Age:
    """What a program's open points have in common: the months in which they were made and will be over, such as `2026-11`."""

    program: int
    made: str
    expires: str
    """Empty: never."""


class Lots(Watcher):
    """The lots of all accounts. Feed it all entries of the chain, from the first one on."""

    def __init__(self, tables: Tables, *, late_days: int = LATE_DAYS, longest_hold: int = LONGEST_HOLD) -> None:
        self._late_days = late_days
        self._longest_hold = longest_hold
        self._lots = tables.table("rule.lots", default=())
        """Account -> its portions, sorted."""
        self._draws = tables.table("rule.lots.draws", default=())
        """Place of an entry -> what it took: portions in the order of taking, or the lot if it was only one."""
        self._returned = tables.table("rule.lots.returned", default=(0, 0))
        """Place of an entry -> how many of its points, and of what it gave, reversals have moved back."""
        self._revived = tables.table("rule.lots.revived", default=0)
        """Account -> the last day on which points came to it that were over by then."""
        self._late = tables.table("rule.lots.late")
        """Program -> what was expired late."""
        self._days = tables.table("rule.lots.days")
        """Day -> its first batch."""
        self._succession = tables.table("rule.lots.succession", default=0)
        """`batches` that a predecessor had closed; reversals of its entries that `restored` points of unknown lots."""
        self.used: Sequence[Portion] = ()
        """What the last entry took from its giver's account or, a reversal, returned there: for who watches after this one."""
        self.revoked: Sequence[Portion] = ()
        """What it took back, as a reversal, from who had received points."""

    # ---------------------------------------------------------------- what the chain shows

    def on_entry(self, seen: EntrySeen) -> Sequence[Finding]:
        """Moves the points of an entry from lot to lot."""
        entry, day = seen.entry, seen.block.day
        self.used = self.revoked = ()
        if day not in self._days:
            self._days[day] = entry.batch
        if entry.kind == Kind.REVERSE:
            return self._reverse(seen)
        found: list[Finding] = []
        taken: list[Portion] = []
        if entry.kind != Kind.ISSUE:
            as_on = _day_that_counts(entry, day)
            taken, missing = self._take((entry.member, entry.program), entry.points, as_on, entry.kind == Kind.EXPIRE)
            self.used = taken
            self._draws[_place(entry)] = taken[0][0] if len(taken) == 1 and not missing else tuple(taken)
            found = self._judged(seen, taken, as_on)
            if missing:
                found.append(_missing(seen, missing))
        receiver = _receiver_of(entry, seen.terms)
        if receiver is not None:
            self._give(receiver, _given_by(entry, seen.terms, taken), day)
        return found

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes over the lots of a predecessor."""
        if seen.name == "ImportBegun":
            self._succession["batches"] = 2**40  # all that is imported
        if seen.name == "Opened":
            self._succession["batches"] = seen.values[0]
        if seen.name == "LeafImported" and seen.values[1] == LeafKind.LOT:
            _, _, key, packed = seen.values
            lot = LotWord.of(packed)
            self._days[lot.made_on] = min(self._days.get(lot.made_on, lot.batch), lot.batch)
            number = (lot.expiry_day or _NEVER) << _DAY_BITS | lot.batch << _BATCH_BITS | lot.place
            self._give((f"0x{key & 2**160 - 1:040x}", key >> 160), [(number, lot.points)], seen.block.day)
        return ()

    def not_checked(self) -> list[NotChecked]:
        """What nobody can know who has not the predecessor's entries."""
        count = self._succession["restored"]
        if not count:
            return []
        what = f"when the points expire that came back by {_counted(count, 'reversal')} of entries of the predecessor"
        return [
            NotChecked(what, "from which lots those entries had taken them stands in the predecessor's history alone")
        ]

    def _reverse(self, seen: EntrySeen) -> list[Finding]:
        entry, original = seen.entry, seen.original
        if original is None:
            return [_finding(seen, "lots.missing", "the entry that it reverses is on the chain", "nobody knows it")]
        place = _place(original)
        points_back, out_back = self._returned[place]
        self._returned[place] = (points_back + entry.points, out_back + entry.out)
        taken = self._taken_by(original)
        missing = 0
        receiver = _receiver_of(original, seen.terms)
        if receiver is not None:
            given = _given_by(original, seen.terms, taken)
            back, points = (out_back, entry.out) if original.kind == Kind.EXCHANGE else (points_back, entry.points)
            self.revoked, missing = self._take_back(receiver, _last(given, back, points), points, seen.block.day)
        self.used = _last(taken, points_back, entry.points)
        self._give((original.member, original.program), self.used, seen.block.day)
        return [_missing(seen, missing)] if missing else []

    def at_end(self, block: BlockSeen) -> Sequence[Finding]:
        """Says what should have been expired by the day of the last block, and what was expired late."""
        return [*self._expired_late(), *self._not_expired(block)]

    # ---------------------------------------------------------------- moving points

    def _take(self, account: Account, wanted: int, day: int, over_first: bool) -> tuple[list[Portion], int]:
        """Takes points by the rule: what is over on `day` goes last, or first. What it took, and what was missing."""
        lots = self._lots[account]
        alive = 0 if over_first else _count_over(lots, day)
        taken: list[Portion] = []
        left = list(lots)
        for start, end in ((alive, len(lots)), (0, alive)):
            at = start
            while wanted and at < end:
                lot, points = lots[at]
                some = min(wanted, points)
                taken.append((lot, some))
                wanted -= some
                if some < points:
                    left[at] = (lot, points - some)
                    break
                at += 1
            del left[start:at]  # of the later part first, so the places of the earlier part still hold
        self._lots[account] = tuple(left)
        return taken, wanted

    def _take_back(
        self, account: Account, preferred: Iterable[Portion], wanted: int, day: int
    ) -> tuple[list[Portion], int]:
        """Takes what an entry gave, as far as it is there, and the rest by the rule. What it took, and what was missing."""
        left = list(self._lots[account])
        taken: list[Portion] = []
        for lot, points in preferred:
            at = bisect_left(left, (lot,))
            if at == len(left) or left[at][0] != lot:
                continue
            has = left[at][1]
            some = min(points, has)
            wanted -= some
            taken.append((lot, some))
            left[at : at + 1] = [(lot, has - some)] if some < has else []
        self._lots[account] = tuple(left)
        more, missing = self._take(account, wanted, day, over_first=False) if wanted else ([], 0)
        return [*taken, *more], missing

    def _give(self, account: Account, portions: Iterable[Portion], day: int) -> None:
        lots = list(self._lots[account])
        over = False
        for lot, points in portions:
            over = over or _expires(lot) <= day
            at = bisect_left(lots, (lot,))
            if at < len(lots) and lots[at][0] == lot:
                lots[at] = (lot, lots[at][1] + points)
            else:
                lots.insert(at, (lot, points))
        self._lots[account] = tuple(lots)
        if over:
            self._revived[account] = day

    def _taken_by(self, entry: Entry) -> Sequence[Portion]:
        place = _place(entry)
        kept = self._draws[place]
        if not kept and entry.kind != Kind.ISSUE and entry.batch <= self._succession["batches"]:
            self._succession["restored"] += 1
            return ((_NEVER << _DAY_BITS | place, entry.points),)
        return ((kept, entry.points),) if isinstance(kept, int) else kept

    # ---------------------------------------------------------------- what does not hold

    def _judged(self, seen: EntrySeen, taken: Sequence[Portion], as_on: int) -> list[Finding]:
        """What is wrong about the lots that an entry took from."""
        entry, day = seen.entry, seen.block.day
        if entry.kind == Kind.EXPIRE:
            return self._judged_expiry(seen, taken)
        if entry.kind not in _USES:
            return []
        found = []
        if as_on < day - self._longest_hold:
            found.append(
                _finding(
                    seen,
                    "lots.old_hold",
                    f"a hold of {day_text(day - self._longest_hold)} or later, as the block is of {day_text(day)}",
                    f"the entry says that the points were held on {day_text(as_on)}",
                )
            )
        # An order that was accepted before midnight may come into a block after it: then it takes what has just died.
        asked_on = as_on if as_on < day else day - 1
        over = [(lot, points) for lot, points in taken if _expires(lot) <= asked_on]
        if over:
            found.append(
                _finding(
                    seen,
                    "lots.expired_spent",
                    f"only points that were not over on {day_text(asked_on)}",
                    f"{Kind(entry.kind).label} of {_points_in_words(over)}",
                )
            )
        return found

    def _judged_expiry(self, seen: EntrySeen, taken: Sequence[Portion]) -> list[Finding]:
        day = seen.block.day
        early = [(lot, points) for lot, points in taken if _expires(lot) > day]
        self._note_late(seen, [(lot, points) for lot, points in taken if _expires(lot) <= day])
        if not early:
            return []
        expected = f"only points that were over on {day_text(day)}"
        return [_finding(seen, "lots.expired_early", expected, f"expired {_points_in_words(early)}")]

    def _note_late(self, seen: EntrySeen, over: Sequence[Portion]) -> None:
        entry = seen.entry
        back = self._revived[entry.member, entry.program]
        days = [(seen.block.day - max(_expires(lot), back), points) for lot, points in over]
        late = [(since, points) for since, points in days if since > self._late_days]
        if not late:
            return
        first = (seen.block.number, seen.transaction, entry.batch, entry.index)
        entries, points, worst, *place = self._late.get(entry.program, (0, 0, 0, *first))
        points += sum(some for _, some in late)
        self._late[entry.program] = (entries + 1, points, max(worst, max(late)[0]), *place)

    def _expired_late(self) -> Iterator[Finding]:
        for program, (entries, points, worst, block, transaction, batch, index) in sorted(self._late.stored()):
            yield Finding(
                "lots.expired_late",
                f"program {program}",
                f"points are expired at most {_counted(self._late_days, 'day')} after their day",
                f"{points} points were expired later (entries: {entries}), at worst {_counted(worst, 'day')} after; first here",
                Place(block, transaction, batch, index),
            )

    def _not_expired(self, block: BlockSeen) -> Iterator[Finding]:
        left: dict[int, list[tuple[int, int, str]]] = {}
        latest = block.day - self._late_days - 1
        for (member, program), lots in self._lots.stored():
            over = lots[: _count_over(lots, latest)]
            if over and self._revived[member, program] <= latest:
                left.setdefault(program, []).append((_expires(over[0][0]), sum(points for _, points in over), member))
        for program, accounts in sorted(left.items()):
            accounts.sort()
            named = ", ".join(f"{points} of {member}" for _, points, member in accounts[:_EXAMPLES])
            yield Finding(
                "lots.not_expired",
                f"program {program}",
                f"on {day_text(block.day)} no points are left that were over by {day_text(latest)}",
                f"{sum(points for _, points, _ in accounts)} points of {_counted(len(accounts), 'account')}, the oldest over since "
                f"{day_text(accounts[0][0])}, such as {named}. They count as owed although nobody can use them, unless a hold "
                "still has them: expire them",
                Place(block.number),
            )

    # ---------------------------------------------------------------- for the report

    def lots_of(self, member: str, program: int) -> list[Lot]:
        """What an account has, in the order in which it will be used; what is over comes first."""
        return [self._lot(portion, self._first_batches()) for portion in self._lots[member, program]]

    def made_in(self, lot: int) -> int:
        """The batch of the entry that made a lot."""
        return lot >> _BATCH_BITS & (1 << _DAY_BITS - _BATCH_BITS) - 1

    def all(self) -> Iterator[tuple[Account, list[Lot]]]:
        """Every account's lots, in no useful order of accounts."""
        days = self._first_batches()
        for account, portions in self._lots.stored():
            yield account, [self._lot(portion, days) for portion in portions]

    def open_points(self) -> dict[Age, int]:
        """All points that members have, by program and the months in which they were made and will be over."""
        days = self._first_batches()
        totals: Counter[Age] = Counter()
        months: dict[tuple[int, int, int], Age] = {}
        for (_, program), lots in self._lots.stored():
            for portion in lots:
                lot = self._lot(portion, days)
                key = (program, lot.made_on, lot.expiry_day)
                if key not in months:
                    months[key] = Age(
                        program, month_text(lot.made_on), month_text(lot.expiry_day) if lot.expiry_day else ""
                    )
                totals[months[key]] += lot.points
        return dict(sorted(totals.items()))

    def _first_batches(self) -> tuple[list[int], list[int]]:
        """The days, and the first batch of each."""
        days = sorted(self._days.stored())
        return [day for day, _ in days], [batch for _, batch in days]

    def _lot(self, portion: Portion, days: tuple[list[int], list[int]]) -> Lot:
        lot, points = portion
        batch, index = self.made_in(lot), lot & (1 << _BATCH_BITS) - 1
        expires = _expires(lot)
        made_on = days[0][bisect_right(days[1], batch) - 1]
        return Lot(points, 0 if expires == _NEVER else expires, made_on, batch, index)


# -------------------------------------------------------------------- what an entry does


def _receiver_of(entry: Entry, terms: AgreementTerms | None) -> Account | None:
    """The account into which an entry brings points."""
    if entry.kind == Kind.ISSUE:
        return entry.member, entry.program
    if entry.kind == Kind.TRANSFER:
        return "0x" + entry.link[12:].hex(), entry.program
    if entry.kind == Kind.EXCHANGE and terms is not None:
        return entry.member, terms.target_program
    return None


def _given_by(entry: Entry, terms: AgreementTerms | None, taken: Sequence[Portion]) -> Sequence[Portion]:
    """What it brings there, after what it took."""
    if entry.kind == Kind.TRANSFER:
        return taken
    if entry.kind == Kind.ISSUE:
        return [(_made_by(entry, _NEVER), entry.points)]
    if terms is None or not terms.keep_expiry:
        return [(_made_by(entry, _NEVER), entry.out)]
    given = []
    so_far = 0
    for lot, points in taken:
        before, so_far = so_far, so_far + points
        share = entry.out * so_far // entry.points - entry.out * before // entry.points
        if share:
            given.append((_made_by(entry, _expires(lot)), share))
    return given


def _day_that_counts(entry: Entry, day: int) -> int:
    """The day of the hold that an entry captures, if its link is a day up to the block's own; else the block's."""
    if entry.kind not in _CAPTURED:
        return day
    held_on = int.from_bytes(entry.link)
    return held_on if 0 < held_on <= day else day


def _last(portions: Sequence[Portion], skipped: int, points: int) -> list[Portion]:
    """From the end of the portions so many points, after those that were returned before; the last one first."""
    found = []
    for lot, has in reversed(portions):
        passed = min(skipped, has)
        skipped -= passed
        some = min(points, has - passed)
        points -= some
        if some:
            found.append((lot, some))
    return found


def _made_by(entry: Entry, no_later_than: int) -> int:
    return min(entry.expiry_day or _NEVER, no_later_than) << _DAY_BITS | _place(entry)


def _place(entry: Entry) -> int:
    return entry.batch << _BATCH_BITS | entry.index


def _expires(lot: int) -> int:
    return lot >> _DAY_BITS


def _count_over(lots: Sequence[Portion], day: int) -> int:
    """How many of these lots are over on a day."""
    return bisect_left(lots, ((day + 1) << _DAY_BITS,))


# -------------------------------------------------------------------- in words


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _points_in_words(portions: Iterable[Portion]) -> str:
    by_day: Counter[int] = Counter()
    for lot, points in portions:
        by_day[_expires(lot)] += points
    return ", ".join(
        f"{points} points that never expire"
        if day == _NEVER
        else f"{points} points that are over from {day_text(day)} on"
        for day, points in sorted(by_day.items())
    )


def _missing(seen: EntrySeen, points: int) -> Finding:
    return _finding(
        seen, "lots.missing", "the account has all points that the entry takes", f"{points} points are missing"
    )


def _finding(seen: EntrySeen, rule: str, expected: str, found: str) -> Finding:
    entry = seen.entry
    subject = f"entry {entry.index} of batch {entry.batch} ({entry.member} in program {entry.program})"
    return Finding(rule, subject, expected, found, Place(seen.block.number, seen.transaction, entry.batch, entry.index))
