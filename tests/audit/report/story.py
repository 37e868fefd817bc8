"""A year of a small network, made up: what watchers are shown, and the balances in the end. Always the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from random import Random

from tongdui.audit.watching import BlockSeen, EntrySeen, EventSeen, Watcher
from tongdui.encoding import ZERO_WORD, hex_of, keccak256, text_word, word
from tongdui.orders import NO_NONCE, AgreementTerms, Kind, Reason
from tongdui.receipts import Entry

UTC_OFFSET = 28_800
FIRST_DAY = (date(2025, 9, 3) - date(1970, 1, 1)).days
MERCHANTS = ((0, "通兑清算"), (8_000, "长河石油"), (4_000, "星河影院"), (3_000, "丰收超市"), (500, "净悦洗车"))
PROGRAMS = ((1, "FUEL", "加油积分"), (2, "CINE", "星河观影币"), (3, "MART", "丰收印花"))
FOREVER = 2**40 - 1


def _terms(kind: int, source: int, target: int, rate: tuple[int, int], price: int) -> AgreementTerms:
    programs = (source, target if kind == 1 else 0)
    return AgreementTerms(
        kind,
        3,
        50,
        365 if kind == 1 else 0,
        source,
        target,
        *programs,
        0,
        FOREVER,
        *rate,
        price,
        100_000,
        10_000_000,
        0,
        0,
        0,
        False,
        ZERO_WORD,
    )


AGREEMENTS = (
    _terms(1, 1, 2, (9, 10), 10_000),
    _terms(1, 2, 1, (1, 1), 9_000),
    _terms(2, 1, 3, (1, 1), 9_500),
    _terms(2, 1, 4, (1, 1), 9_000),
    _terms(2, 3, 4, (1, 1), 4_500),
)


def address(text: str) -> str:
    """An address made from a text."""
    return hex_of(keccak256(text.encode())[:20])


@dataclass
class Story:
    """What happened so far. `told` are the things that watchers are shown, in order."""

    told: list[EntrySeen | EventSeen] = field(default_factory=list)
    balances: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    batch: int = 0
    block: BlockSeen = field(default_factory=lambda: _block(1, FIRST_DAY))

    def event(self, name: str, *values: object, sender: str = "operator") -> None:
        """Tells an event of the contract."""
        self.told.append(EventSeen(name, values, self.block, _transaction(self.block.number), address(sender)))

    def begin(self) -> None:
        """Tells who takes part."""
        self.event("OwnershipTransferred", "0x" + "00" * 20, address("owner"))
        for role, holder in enumerate(("operator", "sequencer", "treasury", "pauser")):
            self.event("RoleChanged", role, address(holder), True)
        for number, (limit, name) in enumerate(MERCHANTS):
            self.event("MerchantRegistered", number, limit * 1_000_000, text_word(name))
            if number:
                self.event("SignerChanged", number, address(f"key {number}"), 0, FOREVER, NO_NONCE)
        for number, (merchant, *_names) in enumerate(PROGRAMS, start=1):
            self.event("ProgramRegistered", number, merchant, *map(text_word, _names))
        for number, terms in enumerate(AGREEMENTS, start=1):
            values = tuple(getattr(terms, name) for name in AgreementTerms.__slots__)
            self.event("AgreementRegistered", number, terms.struct_hash(), values, b"", b"")
        self.event("Deposited", 1, 500_000_000, keccak256(b"deposit 1"))

    def day(self, day: int, entries: Iterable[tuple[int, Entry, Entry | None]]) -> None:
        """Tells a day's batch: agreement, entry and original of each."""
        self.batch += 1
        self.block = _block(self.block.number + 7, day)
        leaves = 0
        for agreement, entry, original in entries:
            terms = AGREEMENTS[agreement - 1] if agreement else None
            seen = EntrySeen(entry, entry.leaf(), self.block, _transaction(self.block.number), terms, original)
            self.told.append(seen)
            leaves += 1
        self.event("BatchClosed", self.batch, leaves, keccak256(b"root"), keccak256(b"head"))

    def show(self, *watchers: Watcher) -> None:
        """Shows it all to watchers."""
        for one in self.told:
            for watcher in watchers:
                self.show_one(one, watcher)

    @staticmethod
    def show_one(one: EntrySeen | EventSeen, watcher: Watcher) -> None:
        """Shows a watcher one thing, which it finds nothing wrong with."""
        assert not (watcher.on_entry(one) if isinstance(one, EntrySeen) else watcher.on_event(one))


def year(days: int = 360, members: int = 60, seed: int = 1) -> Story:
    """So many days with trade of so many members."""
    story, chance = Story(), Random(seed)
    story.begin()
    people = [address(f"member {number}") for number in range(members)]
    for day in range(FIRST_DAY + 1, FIRST_DAY + days):
        story.day(day, list(_trade(story, chance, people, day)))
        if day % 45 == 0:
            if day % 90 == 0:
                story.event("Deposited", 1, 900_000_000, keccak256(b"%d" % day))
            else:
                story.event("Withdrawn", 4, 200_000_000, keccak256(b"%d" % day))
            story.event("InstructionRejected", 1, day, 0, Reason.OVER_DAILY_CAP)
            story.event("SignerChanged", 1 + day % 3, address(f"key {day}"), story.block.time, FOREVER, day)
    return story


def _trade(story: Story, chance: Random, people: list[str], day: int) -> Iterator[tuple[int, Entry, Entry | None]]:
    """Entries of one day: who has points uses some of them."""
    made: list[tuple[int, Entry]] = []
    for _ in range(chance.randint(2, 7)):
        member, program = (
            chance.choice(people[: 1 + int(len(people) * chance.random())]),
            chance.choice((1, 1, 1, 2, 3)),
        )
        has = story.balances[member, program]
        kind = chance.choices((Kind.ISSUE, Kind.REDEEM, Kind.EXCHANGE, Kind.SPEND, Kind.EXPIRE), (6, 2, 2, 2, 1))[0]
        if kind is Kind.ISSUE or not has:
            points = chance.choice((200, 500, 1_500, 12_000))
            made.append((0, _entry(story, len(made), Kind.ISSUE, program, member, points, expiry=day + 365)))
        else:
            points = max(has // chance.randint(1, 4), 1)
            made.extend(_use(story, chance, kind, len(made), member, program, points, day))
    yield from ((agreement, entry, None) for agreement, entry in made)
    if made and day % 9 == 0:
        agreement, original = chance.choice(made)
        if story.balances[original.member, _gained(agreement, original)] >= max(original.points, original.out):
            yield agreement, _undone(story, len(made), agreement, original), original


def _gained(agreement: int, entry: Entry) -> int:
    """The program in which a reversal takes points back."""
    return AGREEMENTS[agreement - 1].target_program or entry.program if agreement else entry.program


def _use(
    story: Story, chance: Random, kind: Kind, index: int, member: str, program: int, points: int, day: int
) -> Iterator[tuple[int, Entry]]:
    wanted = {Kind.EXCHANGE: 1, Kind.SPEND: 2}.get(kind)
    if wanted is None:
        yield 0, _entry(story, index, kind, program, member, points)
        return
    fitting = [n for n, t in enumerate(AGREEMENTS, 1) if t.kind == wanted and t.source_program == program]
    if fitting:
        number = chance.choice(fitting)
        terms = AGREEMENTS[number - 1]
        out = points * terms.rate_num // terms.rate_den if wanted == 1 else 0
        if wanted == 2 or out:
            settled = (out or points) * terms.unit_price_micros
            money = (out, settled, -(-settled * terms.fee_bps // 10_000), number)
            yield number, _entry(story, index, kind, program, member, points, *money, expiry=day + 365 if out else 0)


def _entry(
    story: Story,
    index: int,
    kind: Kind,
    program: int,
    member: str,
    points: int,
    out: int = 0,
    settled: int = 0,
    fee: int = 0,
    agreement: int = 0,
    expiry: int = 0,
    link: bytes = ZERO_WORD,
) -> Entry:
    """An entry, with its effect on balances unless it is a reversal."""
    if kind is not Kind.REVERSE:
        story.balances[member, program] += points if kind is Kind.ISSUE else -points
        if out:
            story.balances[member, AGREEMENTS[agreement - 1].target_program] += out
    numbers, batch = (program, agreement), story.batch + 1
    return Entry(
        batch,
        index,
        program,
        100 * batch + index // 2,
        index,
        kind,
        expiry,
        *numbers,
        member,
        points,
        out,
        settled,
        fee,
        word(0),
        link,
    )


def _undone(story: Story, index: int, agreement: int, original: Entry) -> Entry:
    """The reversal of a whole entry."""
    member, program, points, out = original.member, original.program, original.points, original.out
    story.balances[member, program] += -points if original.kind == Kind.ISSUE else points
    if out:
        story.balances[member, AGREEMENTS[agreement - 1].target_program] -= out
    money = (out, original.settled, 0, agreement)
    return _entry(story, index, Kind.REVERSE, program, member, points, *money, link=original.leaf())


def _block(number: int, day: int) -> BlockSeen:
    return BlockSeen(number, hex_of(keccak256(b"block %d" % number)), day * 86_400 - UTC_OFFSET + 43_200, day)


def _transaction(block: int) -> str:
    return hex_of(keccak256(b"transaction %d" % block))
