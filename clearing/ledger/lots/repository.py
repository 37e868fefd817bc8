"""SQL of lots: the entries that lots depend on, the accounts with lots of certain days, and how far rounds have come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    TextClause,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.database import dialect_of
from clearing.kit.in_list import in_list, pairs_in_list
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.models import Account
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.effects import recipient_of
from clearing.ledger.journal.models import Batch, Block, Entry
from clearing.ledger.lots.checkpoints import Checkpoint, portions_of, written
from clearing.ledger.lots.models import CheckpointCursor, ExpiryMark, LotCheckpoint, LotDraw, TransferReversal
from clearing.ledger.lots.replay import LotError, Original, Portion, Posting, Replay, Start
from clearing.parties.agreements.models import Agreement
from tongdui import receipts
from tongdui.encoding import address_word
from tongdui.orders import Kind

_CHUNK = 400
_ENTRIES_AT_ONCE = 2_000
_BEFORE_ALL_BATCHES = 0
_POSTINGS: Select[*tuple[Any, ...]] = select(
    *(Entry.batch, Entry.index, Entry.merchant, Entry.nonce, Entry.item, Entry.kind, Entry.expiry_day, Entry.program),
    *(Entry.agreement, Entry.address, Entry.points, Entry.out, Entry.settled, Entry.fee, Entry.ref, Entry.link),
    *(Entry.leaf, Block.day),
).join(Block, Block.number == Entry.block_number)
"""The columns of an entry in the order of its fields, then its leaf and its day."""

# Word for word the conditions of the partial indexes: with parameters, SQLite would not see that they apply.
_HAS_EXPIRY_DAY = text("entries.expiry_day > 0")
_IS_LINKED = text("entries.kind IN (5, 6)")
_IS_TRANSFER = text("entries.kind = 5")


class HistoryTooLong(Exception):
    """More entries than somebody was ready to read."""


class LotTerms(NamedTuple):
    """What lots have to know of an agreement."""

    target_program: int
    keep_expiry: bool
    """Whether exchanged points keep their expiry."""


@dataclass(slots=True)
class History:
    """What the lots of some accounts depend on: where their replay begins, and the entries from there on, in the chain's order."""

    start: Start
    terms: dict[int, LotTerms]
    """By agreement."""
    postings: list[Posting]

    def replay(self) -> Replay:
        """The accounts' lots at the end."""
        targets = {number: terms.target_program for number, terms in self.terms.items()}
        keeping = {number for number, terms in self.terms.items() if terms.keep_expiry}
        replay = Replay(targets, keeps_expiry=keeping, start=self.start)
        for posting in self.postings:
            replay.apply(posting.entry, posting.day, posting.leaf)
        return replay


class ExpiryMarkRepository:
    """How far daily rounds have come, in one session."""

    REMINDERS = "points.remind"

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> ExpiryMark | None:
        """The mark of a round; None before its first one."""
        return self._session.get(ExpiryMark, name, populate_existing=True)

    def set(self, name: str, day: int) -> None:
        """Notes that a round is done, and for which day."""
        values: dict[str, object] = {"day": day, "part": None, "address": None}
        statement = insert_for(self._session)(ExpiryMark).values(name=name, **values)
        self._session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def set_place(self, name: str, part: str, address: str) -> None:
        """Notes how far a round is that is not done yet: in which part of it, up to which address."""
        change = update(ExpiryMark).where(ExpiryMark.name == name).values(part=part, address=address)
        self._session.execute(change, execution_options={"synchronize_session": False})


class LotRepository:
    """Entries for replays, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def history(
        self,
        addresses: Iterable[str],
        up_to: int | None = None,
        *,
        from_the_beginning: bool = False,
        longest: int | None = None,
    ) -> History:
        """What the lots of these addresses depend on, up to a batch (default: the newest): their entries since their checkpoints,
        and those of addresses from which they got points since that nobody has worked out yet. Raises HistoryTooLong where there
        are more than `longest` entries, before it has read many more."""
        up_to = self.newest_batch() if up_to is None else up_to
        start = Start()
        found: dict[bytes, Posting] = {}
        new = set(addresses)
        while new:
            checkpoints = {} if from_the_beginning else self.checkpoints(new)
            for address in new:
                checkpoint = checkpoints.get(address)
                start.last_batches[address] = checkpoint.last_batch if checkpoint else _BEFORE_ALL_BATCHES
                start.holdings |= checkpoint.holdings if checkpoint else {}
            since = {address: start.last_batches[address] for address in new}
            found |= {posting.leaf: posting for posting in self._postings_since(since, up_to, longest)}
            if longest is not None and len(found) > longest:
                raise HistoryTooLong
            new = self._complete(start, found, know_draws=not from_the_beginning)
        # Only now: what joined late may have brought reversals, and whatever is replayed must not count as given back before.
        for leaf, (points, out) in self._given_back(list(start.originals), found, up_to).items():
            start.originals[leaf] = replace(start.originals[leaf], points_back=points, out_back=out)
        postings = sorted(found.values(), key=lambda posting: (posting.entry.batch, posting.entry.index))
        entries = [posting.entry for posting in postings] + [original.entry for original in start.originals.values()]
        return History(start, self.terms_of({entry.agreement for entry in entries if entry.out}), postings)

    def entries_after(self, address: str, batch: int) -> Iterator[Sequence[receipts.Entry]]:
        """All entries after a batch that changed an address's accounts, each once and in no order; some at a time."""
        seen: set[bytes] = set()  # a transfer to oneself is found twice
        postings = self._postings_since({address: batch}, self.newest_batch(), None)
        while some := list(islice(postings, _ENTRIES_AT_ONCE)):
            new = {posting.leaf: posting.entry for posting in some if posting.leaf not in seen}
            yield list(new.values())
            seen |= new.keys()

    def _complete(self, start: Start, found: Mapping[bytes, Posting], *, know_draws: bool) -> set[str]:
        """Looks up what entries took whose givers take no part. Where nobody has worked that out, the givers join: returns them."""
        elsewhere = {leaf: posting for leaf, posting in found.items() if _took_elsewhere(posting, start)}
        links = {posting.entry.link for posting in found.values() if posting.entry.kind == Kind.REVERSE}
        earlier = self._by_leaves(links - found.keys() - start.originals.keys())
        wanted = {**elsewhere, **earlier}
        if not wanted:
            return set()
        taken = self._draws(wanted.values()) if know_draws else {}
        taken |= {leaf: [] for leaf, posting in wanted.items() if posting.entry.kind == Kind.ISSUE}
        for leaf in taken:
            if leaf in elsewhere:
                start.taken[leaf] = taken[leaf]
            else:
                start.originals[leaf] = Original(earlier[leaf].entry, leaf, taken[leaf])
        givers = {posting.entry.member for leaf, posting in wanted.items() if leaf not in taken}
        if both := givers & start.last_batches.keys():
            raise LotError(f"the checkpoint of {min(both)} lacks what an entry took")
        return givers

    def _postings_since(self, last_batches: Mapping[str, int], up_to: int, longest: int | None) -> Iterator[Posting]:
        """Entries of these addresses, transfers to them, and reversals of such transfers, each since the address's last batch. Of
        more than `longest` of one kind, some."""
        most = None if longest is None else longest + 1
        words = {address_word(address): last for address, last in last_batches.items()}
        own = _POSTINGS.limit(most)
        transfers = _POSTINGS.limit(most).where(_IS_LINKED, Entry.kind == int(Kind.TRANSFER))
        same = and_(TransferReversal.batch == Entry.batch, TransferReversal.index == Entry.index)
        reversals = _POSTINGS.limit(most).join(TransferReversal, same)
        yield from self._since(own, Entry.address, Entry.batch, last_batches, up_to)
        yield from self._since(transfers, Entry.link, Entry.batch, words, up_to)
        yield from self._since(reversals, TransferReversal.address, TransferReversal.batch, last_batches, up_to)

    def _since(
        self,
        query: Select[*tuple[Any, ...]],
        column: InstrumentedAttribute[Any],
        batch: InstrumentedAttribute[int],
        last_batches: Mapping[Any, int],
        up_to: int,
    ) -> Iterator[Posting]:
        """The rows of a query where a column has one of these values, each after its batch."""
        query = query.where(batch <= up_to)
        if dialect_of(self._session) == "postgresql":
            values = literal(list(last_batches), ARRAY(column.type))
            lasts = literal(list(last_batches.values()), ARRAY(BigInteger))
            wanted = func.unnest(values, lasts).table_valued("value", "last").render_derived()
            queries = [query.join(wanted, and_(column == wanted.c.value, batch > wanted.c.last))]
        else:  # its statements cost no round trip
            queries = [query.where(column == value, batch > last) for value, last in last_batches.items()]
        for each in queries:
            yield from map(_posting, self._session.execute(each))

    def _by_leaves(self, leaves: Collection[bytes]) -> dict[bytes, Posting]:
        """The entries with these leaves."""
        found: dict[bytes, Posting] = {}
        for some in _chunks(leaves):
            rows = self._session.execute(_POSTINGS.where(Entry.leaf.in_(some)))
            found |= {posting.leaf: posting for posting in map(_posting, rows)}
        return found

    def _given_back(
        self, leaves: Collection[bytes], replayed: Mapping[bytes, Posting], up_to: int
    ) -> dict[bytes, tuple[int, int]]:
        """What reversals returned of these entries, points and out, but for those reversals that are replayed."""
        found: dict[bytes, tuple[int, int]] = {}
        reversals = select(Entry.link, Entry.leaf, Entry.points, Entry.out).where(
            _IS_LINKED, Entry.kind == int(Kind.REVERSE), Entry.batch <= up_to
        )
        for some in _chunks(leaves):
            for link, leaf, points, out in self._session.execute(reversals.where(Entry.link.in_(some))):
                if leaf not in replayed:
                    before = found.get(link, (0, 0))
                    found[link] = (before[0] + points, before[1] + out)
        return found

    def _draws(self, postings: Iterable[Posting]) -> dict[bytes, list[Portion]]:
        """What these entries took, where somebody has worked that out."""
        leaves = {(posting.entry.batch, posting.entry.index): posting.leaf for posting in postings}
        query = select(LotDraw.batch, LotDraw.index, LotDraw.taken)
        rows = self._session.execute(query.where(pairs_in_list(self._session, LotDraw.batch, LotDraw.index, leaves)))
        return {leaves[batch, index]: portions_of(taken) for batch, index, taken in rows}

    # ---------------------------------------------------------------- checkpoints

    def checkpoints(self, addresses: Iterable[str]) -> dict[str, Checkpoint]:
        """The checkpoints of these addresses, where there are any."""
        query = select(LotCheckpoint.address, LotCheckpoint.last_batch, LotCheckpoint.lots)
        rows = self._session.execute(query.where(in_list(self._session, LotCheckpoint.address, set(addresses))))
        return {address: Checkpoint.read(address, last, lots) for address, last, lots in rows}

    def checkpoints_after(self, address: str, limit: int) -> list[Checkpoint]:
        """The next checkpoints, in the order of their addresses."""
        query = select(LotCheckpoint.address, LotCheckpoint.last_batch, LotCheckpoint.lots)
        rows = self._session.execute(
            query.where(LotCheckpoint.address > address).order_by(LotCheckpoint.address).limit(limit)
        )
        return [Checkpoint.read(*row) for row in rows]

    def newest_batch(self) -> int:
        """The newest batch that has an entry."""
        return self._session.scalar(select(func.max(Entry.batch))) or _BEFORE_ALL_BATCHES

    def lock_newest_batch(self) -> int | None:
        """The newest batch. It stays in the chain until this transaction ends: the projector cannot take it back before."""
        query = select(Batch.number).order_by(Batch.number.desc()).limit(1)
        return self._session.scalar(query.with_for_update(read=True, key_share=True))

    def save(self, checkpoints: Iterable[Checkpoint], draws: Iterable[tuple[int, int, list[Portion]]]) -> None:
        """Writes checkpoints and draws. A checkpoint that somebody else has written farther stays."""
        new_draws = [{"batch": batch, "index": index, "taken": written(taken)} for batch, index, taken in draws]
        new_draws.sort(key=itemgetter("batch", "index"))  # another round may write the same ones
        if new_draws:
            self._session.execute(insert_for(self._session)(LotDraw).on_conflict_do_nothing(), new_draws)
        new_checkpoints = [
            {"address": each.address, "last_batch": each.last_batch, "lots": each.lots()} for each in checkpoints
        ]
        if new_checkpoints:
            statement = insert_for(self._session)(LotCheckpoint)
            new = statement.excluded
            farther = statement.on_conflict_do_update(
                index_elements=["address"],
                set_={"last_batch": new.last_batch, "lots": new.lots},
                where=new.last_batch > LotCheckpoint.last_batch,
            )
            self._session.execute(farther, new_checkpoints)

    def take_back(self, first_batch: int) -> None:
        """A batch and all after it fell out of the chain: forgets what was worked out from them. Remove the batches first."""
        for table, batch in (
            (LotCheckpoint, LotCheckpoint.last_batch),
            (LotDraw, LotDraw.batch),
            (TransferReversal, TransferReversal.batch),
        ):
            self._session.execute(delete(table).where(batch >= first_batch))

    def note_reversals(self, entries: Iterable[receipts.Entry], originals: Mapping[bytes, receipts.Entry]) -> None:
        """Notes from whom these entries take back what transfers gave them."""
        rows = [
            {"address": recipient_of(originals[entry.link]), "batch": entry.batch, "index": entry.index}
            for entry in entries
            if entry.kind == Kind.REVERSE and originals[entry.link].kind == Kind.TRANSFER
        ]
        if rows:
            self._session.execute(insert(TransferReversal), rows)

    # ---------------------------------------------------------------- busy addresses

    def with_long_histories(self, addresses: Collection[str], entries: int) -> list[str]:
        """Those of these addresses that have more than so many entries which their checkpoints lack."""
        lacking = select(Entry.index).where(
            Entry.address == Account.address, Entry.batch > func.coalesce(LotCheckpoint.last_batch, _BEFORE_ALL_BATCHES)
        )
        query = select(Account.address).outerjoin(LotCheckpoint, LotCheckpoint.address == Account.address)
        is_long = lacking.offset(entries).limit(1).exists()
        return list(
            self._session.scalars(query.where(in_list(self._session, Account.address, addresses), is_long).distinct())
        )

    def cursor(self) -> int:
        """Up to which batch the checkpoints of busy addresses were looked after."""
        return self._session.scalar(select(CheckpointCursor.batch)) or _BEFORE_ALL_BATCHES

    def set_cursor(self, batch: int) -> None:
        """Notes that."""
        statement = insert_for(self._session)(CheckpointCursor).values(id=1, batch=batch)
        self._session.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"batch": batch}))

    def sampled(self, after: int, up_to: int) -> set[str]:
        """The addresses of a sample of the entries between two batches: those whose leaf ends with a zero byte, one in 256."""
        query = select(Entry.address, Entry.kind, Entry.link).where(
            Entry.batch > after, Entry.batch <= up_to, func.substr(Entry.leaf, 32, 1) == bytes(1)
        )
        found: set[str] = set()
        for address, kind, link in self._session.execute(query):
            found |= {address, _address_of(link)} if kind == Kind.TRANSFER else {address}
        return found

    # ---------------------------------------------------------------- agreements

    def terms_of(self, agreements: Collection[int]) -> dict[int, LotTerms]:
        """The terms of these agreements, by number."""
        if not agreements:
            return {}
        query = select(Agreement.number, Agreement.target_program, Agreement.keep_expiry)
        rows = self._session.execute(query.where(in_list(self._session, Agreement.number, agreements)))
        return {number or 0: LotTerms(target, keeps) for number, target, keeps in rows}

    # ---------------------------------------------------------------- who has points of certain days

    def addresses_given(self, day: int, after: str, limit: int) -> list[str]:
        """The members who got points that expire on this day, in order, after this address."""
        query = select(Entry.address).where(_HAS_EXPIRY_DAY, Entry.expiry_day == day, Entry.address > after)
        return list(self._session.scalars(query.distinct().order_by(Entry.address).limit(limit)))

    def accounts_expiring(self, day: int, addresses: Collection[str]) -> set[AccountKey]:
        """The accounts in which these members got points that expire on this day, and those to which such points may have gone on.

        Some have spent them since.
        """
        found: set[AccountKey] = set()
        theirs = in_list(self._session, Entry.address, addresses)
        new = self._accounts_given(_HAS_EXPIRY_DAY, Entry.expiry_day == day, theirs)
        keeping = self._keeping_expiry()
        while new:
            found |= new
            new = (self._given_on(new) | self._exchanged_on(new, keeping)) - found
        return found

    def _accounts_given(self, *conditions: ColumnElement[bool] | TextClause) -> set[AccountKey]:
        query = select(Entry.address, Entry.program, Entry.agreement, Entry.out).where(*conditions).distinct()
        targets = self._targets()
        return {
            (address, targets[agreement] if out else program)
            for address, program, agreement, out in self._session.execute(query)
        }

    def _given_on(self, accounts: Collection[AccountKey]) -> set[AccountKey]:
        """The accounts to which these have ever transferred points."""
        query = select(Entry.link, Entry.program).where(
            _IS_TRANSFER, pairs_in_list(self._session, Entry.address, Entry.program, accounts)
        )
        return {(_address_of(link), program) for link, program in self._session.execute(query.distinct())}

    def _exchanged_on(self, accounts: Collection[AccountKey], keeping: Collection[int]) -> set[AccountKey]:
        """The accounts into which these have ever exchanged points that kept their expiry."""
        if not keeping:
            return set()
        mine = pairs_in_list(self._session, Entry.address, Entry.program, accounts)
        return self._accounts_given(mine, Entry.agreement.in_(keeping), Entry.kind == int(Kind.EXCHANGE))

    def _targets(self) -> dict[int, int]:
        query = select(Agreement.number, Agreement.target_program).where(Agreement.number.is_not(None))
        return {number or 0: target for number, target in self._session.execute(query)}

    def _keeping_expiry(self) -> frozenset[int]:
        """The agreements under which exchanged points keep their expiry."""
        query = select(Agreement.number).where(Agreement.number.is_not(None), Agreement.keep_expiry)
        return frozenset(number or 0 for number in self._session.scalars(query))


def _posting(row: Sequence[Any]) -> Posting:
    *columns, leaf, day = row
    return Posting(receipts.Entry(*columns), leaf, day)


def _took_elsewhere(posting: Posting, start: Start) -> bool:
    """Whether the replay cannot know by itself what an entry took: a transfer whose giver is farther than it, or takes no part."""
    last = start.last_batches.get(posting.entry.member)
    return (
        posting.entry.kind == Kind.TRANSFER
        and posting.leaf not in start.taken
        and (last is None or posting.entry.batch <= last)
    )


def _chunks(leaves: Collection[bytes]) -> Iterator[list[bytes]]:
    ordered = sorted(leaves)
    for begin in range(0, len(ordered), _CHUNK):
        yield ordered[begin : begin + _CHUNK]


def _address_of(link: bytes) -> str:
    return "0x" + link[12:].hex()
