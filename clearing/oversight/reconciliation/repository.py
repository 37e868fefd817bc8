"""SQL of the reconciliation: the state of the database, read in one snapshot, and the names of what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, select, text, tuple_, union
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.in_list import in_list, pairs_in_list
from clearing.ledger.accounts.models import Account
from clearing.ledger.accounts.repository import AccountKey, Balance
from clearing.ledger.activity.circulation import contract_total
from clearing.ledger.activity.repository import ActivityRepository
from clearing.ledger.activity.totals import Sums, TotalKey
from clearing.ledger.availability.models import Hold, HoldState
from clearing.ledger.journal.models import Batch, Block, Entry, Rejection
from clearing.ledger.lots.checkpoints import Checkpoint
from clearing.ledger.lots.replay import LotError
from clearing.ledger.lots.repository import HistoryTooLong, LotRepository
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order, OrderState
from clearing.ordering.orders.reservation import pending_balance
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant
from clearing.parties.programs.models import Program
from tongdui import receipts
from tongdui.receipts import merkle_root

_ROWS = 2_000
LONGEST_REPLAY = 20_000
"""Entries that a checkpoint is compared with."""


@dataclass(frozen=True, slots=True)
class FinalOrder:
    """An order that changes no more."""

    id: str
    merchant: int
    nonce: int
    state: OrderState
    reason: str | None


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as the database has it. `recomputed` is the root of its entries, hashed again from their columns."""

    entries: int
    root: bytes
    head: bytes
    recomputed: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """Names for the numbers and addresses of the chain."""

    members: dict[str, str]
    programs: dict[int, str]
    merchants: dict[int, str]

    def account(self, key: AccountKey) -> str:
        """An account as a report shows it: the member, its address and the program's code."""
        address, program = key
        return f"{self.members.get(address, 'unknown member')} {address} {self.program(program)}"

    def program(self, number: int) -> str:
        """A program's code, or its number where it has none."""
        return self.programs.get(number, f"program {number}")

    def merchant(self, number: int) -> str:
        """A merchant as a report shows it: its name and number."""
        return f"{self.merchants.get(number, 'unknown merchant')} (merchant {number})"


def read_one_snapshot(session: Session) -> None:
    """Lets the transaction that begins now see one snapshot. SQLite's read transactions do so by themselves."""
    if dialect_of(session) != "sqlite":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as the database has it."""

    posted: int
    reserved: int
    expiring: int


NO_ACCOUNT = AccountRow(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Reservations:
    """What open orders and withdrawals reserve, added up."""

    points: dict[AccountKey, Balance]
    micros: dict[int, int]
    """By paying merchant."""


class Snapshot:
    """What the database says after one block, piece by piece: all of it is read in one snapshot while the projector works."""

    def __init__(self, session: Session) -> None:
        self._session = session
        read_one_snapshot(session)
        newest = session.execute(select(Block.number, Block.hash).order_by(Block.number.desc()).limit(1)).first()
        self.block: int | None = newest.number if newest is not None else None
        self.block_hash: bytes = newest.hash if newest is not None else b""

    def first_block(self) -> int:
        """The first block that was projected."""
        return self._session.scalars(select(Block.number).order_by(Block.number).limit(1)).one()

    def hash_of(self, block: int) -> bytes | None:
        """The hash of a projected block."""
        return self._session.scalar(select(Block.hash).where(Block.number == block))

    # ---------------------------------------------------------------- accounts

    def accounts_after(self, key: AccountKey | None, limit: int) -> dict[AccountKey, AccountRow]:
        """The next accounts, in the order of their keys."""
        query = _ACCOUNTS.order_by(Account.address, Account.program).limit(limit)
        if key is not None:
            query = query.where(tuple_(Account.address, Account.program) > tuple_(*key))
        return self._accounts(query)

    def accounts(self, keys: Collection[AccountKey]) -> dict[AccountKey, AccountRow]:
        """These accounts, where there are any."""
        return self._accounts(_ACCOUNTS.where(pairs_in_list(self._session, Account.address, Account.program, keys)))

    def _accounts(self, query: Select[str, int, int, int, int]) -> dict[AccountKey, AccountRow]:
        return {(address, program): AccountRow(*more) for address, program, *more in self._session.execute(query)}

    def posted_by_program(self) -> dict[int, int]:
        """The points of all accounts of each program."""
        if dialect_of(self._session) == "postgresql":
            sums = select(Account.program, func.sum(Account.posted)).group_by(Account.program)
            return {program: int(points) for program, points in self._session.execute(sums)}
        found: dict[int, int] = defaultdict(int)  # SQLite keeps our large numbers as text
        for program, posted in self._session.execute(_streamed(select(Account.program, Account.posted))):
            found[program] += posted
        return found

    def reservations(self) -> Reservations:
        """What open orders and withdrawals reserve. There are never more of them than the queue is long."""
        return Reservations(*_reservations(self._session))

    # ---------------------------------------------------------------- merchants and the journal

    def positions(self) -> dict[int, tuple[int, int, int]]:
        """Merchant -> position, credit limit, reserved."""
        columns = (Position.merchant_number, Position.position, Position.credit_limit, Position.reserved)
        return {
            number: (position, limit, held) for number, position, limit, held in self._session.execute(select(*columns))
        }

    @cached_property
    def _totals(self) -> Mapping[TotalKey, Sums]:
        """The totals of all days: a snapshot reads them once."""
        return ActivityRepository(self._session).all_ever()

    def program_totals(self) -> dict[int, dict[str, int]]:
        """By program: what its daily totals say of the contract's totals, by their names."""
        query = select(Program.number, Program.merchant_number)
        owners = {program: merchant for program, merchant in self._session.execute(query)}  # noqa: C416 (rows)
        found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for key, sums in self._totals.items():
            name = contract_total(key)
            if name is not None and owners.get(key.program) == key.merchant:
                found[key.program][name] += sums.points
        return found

    def issuance_caps(self, day: int) -> dict[int, tuple[int, int, int]]:
        """By program: its cap on a network day, the cap that comes after it, and from which day on."""
        return {
            program.number: (program.cap_on(day), *program.cap_after(day))
            for program in self._session.scalars(select(Program))
        }

    def activity_net(self) -> dict[int, int]:
        """By merchant: what its daily totals say of its position."""
        found: dict[int, int] = defaultdict(int)
        for key, sums in self._totals.items():
            found[key.merchant] += sums.net(key.flow)
        return found

    def wrong_activity(self) -> list[TotalKey]:
        """Totals that their parts do not add up to."""
        activity = ActivityRepository(self._session)
        ever, added_up = self._totals, activity.added_up()
        wrong = [key for key in sorted({*ever, *added_up}) if ever.get(key) != added_up.get(key)]
        return wrong + activity.wrong_days()

    def batches(self, first_block: int, last_block: int) -> dict[int, StoredBatch]:
        """The batches of these blocks, each with the root of its entries."""
        of_blocks = (Batch.block_number >= first_block, Batch.block_number <= last_block)
        first = self._session.scalar(select(func.min(Batch.number)).where(*of_blocks))
        last = self._session.scalar(select(func.max(Batch.number)).where(*of_blocks))
        if first is None or last is None:
            return {}
        entries = _entries(self._session, first, last)
        roots = {number: merkle_root([entry.leaf() for entry in some]) for number, some in entries}
        nothing = merkle_root([])
        rows = self._session.execute(select(Batch.number, Batch.entries, Batch.root, Batch.head).where(*of_blocks))
        return {number: StoredBatch(size, root, head, roots.get(number, nothing)) for number, size, root, head in rows}

    def newest_batch(self) -> tuple[int, bytes]:
        """The number of the newest batch, and the head after it. (That no batch is missing, their roots say.)"""
        newest = self._session.execute(select(Batch.number, Batch.head).order_by(Batch.number.desc()).limit(1)).first()
        return (newest.number, newest.head) if newest is not None else (0, bytes(32))

    def originals(self, leaves: Collection[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """Kind and link of the entries with these leaves, as far as a row still hashes to its leaf."""
        found = {}
        for row in self._session.scalars(select(Entry).where(Entry.leaf.in_(leaves))):
            entry = row.wire()
            found[entry.leaf()] = (entry.kind, entry.link)
        return {leaf: found[leaf] for leaf in leaves if leaf in found}

    # ---------------------------------------------------------------- orders

    def orders_of_blocks(self, first: int, last: int) -> list[FinalOrder]:
        """The orders that these blocks decided."""
        decided = union(
            *(
                select(table.merchant, table.nonce).where(table.block_number.between(first, last))
                for table in (Entry, Rejection)
            )
        )
        mine = (tuple_(Order.merchant_number, Order.nonce).in_(decided), Order.block_number.between(first, last))
        return self._orders(_FINAL_ORDERS.where(*mine))

    def orders_without_block(self, first_seq: int, limit: int) -> tuple[list[FinalOrder], int | None]:
        """Final orders that no block decided, and where to look on; None at the end."""
        return self._page_of_orders(_FINAL_ORDERS.where(Order.block_number.is_(None)), first_seq, limit)

    def orders(self, first_seq: int, limit: int) -> tuple[list[FinalOrder], int | None]:
        """Final orders, and where to look on; None at the end."""
        return self._page_of_orders(_FINAL_ORDERS, first_seq, limit)

    def _page_of_orders(
        self, query: Select[*tuple[Any, ...]], first: int, limit: int
    ) -> tuple[list[FinalOrder], int | None]:
        last = self._session.scalar(
            select(Order.seq).where(Order.seq >= first).order_by(Order.seq).offset(limit).limit(1)
        )
        conditions = [Order.seq >= first, *([Order.seq < last] if last is not None else [])]
        return self._orders(query.where(*conditions)), last

    def _orders(self, query: Select[*tuple[Any, ...]]) -> list[FinalOrder]:
        return [FinalOrder(*row) for row in self._session.execute(query)]

    def oldest_open_order(self) -> int:
        """Every order before this one is final."""
        oldest = [
            self._session.scalar(select(Order.seq).where(state).order_by(Order.seq).limit(1)) for state in _OPEN_ORDERS
        ]
        newest = self._session.scalar(select(func.max(Order.seq))) or 0
        return min([seq for seq in oldest if seq is not None], default=newest + 1)

    def wrong_drawings(self) -> list[tuple[str, bool]]:
        """Holds that say of their order that it is pending although it is not, or the other way round, with what they say."""
        became = select(Hold.id, Hold.drawing).join(Order, Order.id == Hold.order_id)
        ended = became.where(_DRAWING, Order.state.not_in(OPEN_STATES))
        pending = [became.where(state, Hold.state == HoldState.CAPTURED, ~Hold.drawing) for state in _OPEN_ORDERS]
        return [(row.id, row.drawing) for query in (ended, *pending) for row in self._session.execute(query)]

    # ---------------------------------------------------------------- lots

    def wrong_checkpoints(self, after: str, limit: int) -> tuple[list[str], str | None]:
        """Addresses whose checkpoint says something else than a replay of all entries up to its batch, and where to look on; None
        at the end. Where members transfer much, a replay would be of most of the network: then the checkpoint, and what came after
        it, have to sum up to the address's balances."""
        lots = LotRepository(self._session)
        found = lots.checkpoints_after(after, limit)
        wrong = [checkpoint.address for checkpoint in found if not self._is_right(lots, checkpoint)]
        return wrong, found[-1].address if len(found) == limit else None

    def _is_right(self, lots: LotRepository, checkpoint: Checkpoint) -> bool:
        try:
            history = lots.history(
                [checkpoint.address], checkpoint.last_batch, from_the_beginning=True, longest=LONGEST_REPLAY
            )
            return checkpoint.agrees_with(history.replay())
        except HistoryTooLong:
            return self._sums_up(lots, checkpoint.address)
        except LotError:
            return False

    def _sums_up(self, lots: LotRepository, address: str) -> bool:
        try:
            replay = lots.history([address]).replay()
        except LotError:
            return False
        rows = self._accounts(_ACCOUNTS.where(Account.address == address))
        return all(sum(lot.points for lot in replay.lots(key)) == row.posted for key, row in rows.items())

    # ---------------------------------------------------------------- names

    def names(self, addresses: Collection[str]) -> Names:
        """The names of these members, and of every program and merchant."""
        owners = select(Member.address, Member.id).where(in_list(self._session, Member.address, addresses))
        return Names(
            {address: member for address, member in self._session.execute(owners)},  # noqa: C416 (rows are no pairs)
            {number: code for number, code in self._session.execute(select(Program.number, Program.code))},  # noqa: C416
            {number: name for number, name in self._session.execute(select(Merchant.number, Merchant.name))},  # noqa: C416
        )


_ACCOUNTS = select(Account.address, Account.program, Account.posted, Account.reserved, Account.expiring)
_FINAL_ORDERS: Select[*tuple[Any, ...]] = select(
    Order.id, Order.merchant_number, Order.nonce, Order.state, Order.reason
).where(Order.state.not_in(OPEN_STATES))
# Word for word the conditions of the partial indexes: with parameters, SQLite would not see that they apply.
_OPEN_ORDERS = [text(f"orders.state = '{state}'") for state in OPEN_STATES]
_DRAWING = text("holds.drawing")


def _streamed(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.execution_options(yield_per=_ROWS)


def _reservations(session: Session) -> tuple[dict[AccountKey, Balance], dict[int, int]]:
    points: dict[AccountKey, Balance] = defaultdict(Balance)
    micros: dict[int, int] = {}
    columns = (
        Instruction.draws_address, Instruction.draws_program, Instruction.kind, Instruction.points,
        Instruction.reserves, Instruction.payer, Instruction.pays,
    )  # fmt: skip
    query = (
        select(*columns).join(Instruction.order).where(Order.state.in_(OPEN_STATES)).execution_options(yield_per=_ROWS)
    )
    for address, program, kind, asked, reserves, payer, pays in session.execute(query):
        if address is not None and program is not None:
            account = (address, program)
            points[account] = points[account].plus(pending_balance(kind, asked, reserves))
        if payer is not None:
            micros[payer] = micros.get(payer, 0) + pays
    leaving = select(BankMovement.merchant_number, BankMovement.micros).where(
        BankMovement.kind == "withdrawal", BankMovement.state == BankMovementState.PENDING
    )
    for merchant, amount in session.execute(leaving):
        micros[merchant] = micros.get(merchant, 0) + amount
    return points, micros


def _entries(session: Session, first: int, last: int) -> Iterator[tuple[int, Iterator[receipts.Entry]]]:
    """Entries of these batches by batch, in order, as the chain hashed them."""
    columns = (
        Entry.batch, Entry.index, Entry.merchant, Entry.nonce, Entry.item, Entry.kind, Entry.expiry_day, Entry.program,
        Entry.agreement, Entry.address, Entry.points, Entry.out, Entry.settled, Entry.fee, Entry.ref, Entry.link,
    )  # fmt: skip
    query = select(*columns).where(Entry.batch >= first, Entry.batch <= last).order_by(Entry.batch, Entry.index)
    found = (receipts.Entry(*values) for values in map(tuple, session.execute(_streamed(query))))
    return groupby(found, key=lambda entry: entry.batch)
