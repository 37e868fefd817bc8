"""SQL of the reconciliation: the state of the database, read in one snapshot, and the names of what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.database import Database, dialect_of
from clearing.ledger.accounts.models import Account
from clearing.ledger.accounts.repository import AccountKey, Balance
from clearing.ledger.journal.models import Batch, Block, Entry
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.ordering.orders.models import Instruction, Order, OrderState
from clearing.ordering.orders.reservation import pending_balance
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant
from clearing.parties.programs.models import Program
from tongdui import receipts
from tongdui.receipts import merkle_root

_ROWS = 2_000
_OPEN = (OrderState.ACCEPTED, OrderState.SUBMITTED)


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
class DatabaseState:
    """What the database says after its newest block."""

    block: int
    block_hash: bytes
    first_block: int
    balances: dict[AccountKey, int]
    pending: dict[AccountKey, Balance]
    """What open orders reserve and will let expire, as the accounts say."""
    pending_by_orders: dict[AccountKey, Balance]
    """The same, added up from the instructions of open orders."""
    positions: dict[int, tuple[int, int, int]]
    """Merchant -> position, credit limit, reserved."""
    batches: dict[int, StoredBatch]
    orders: list[FinalOrder]
    micros_reserved: dict[int, int]
    """Micros that open orders and withdrawals reserve, added up by paying merchant."""


def read_one_snapshot(session: Session) -> None:
    """Lets the transaction that begins now see one snapshot. SQLite's read transactions do so by themselves."""
    if dialect_of(session) != "sqlite":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def read_database_state(database: Database) -> DatabaseState | None:
    """The state after one block, because all of it is read in one snapshot while the projector works. None without a block."""
    with database.reading() as session:
        read_one_snapshot(session)
        block = session.scalar(select(Block).order_by(Block.number.desc()).limit(1))
        if block is None:
            return None
        first = session.scalars(select(Block.number).order_by(Block.number).limit(1)).one()
        accounts = session.execute(_ACCOUNTS).all()
        owners = select(Position.merchant_number, Position.position, Position.credit_limit, Position.reserved)
        pending_by_orders, micros_reserved = _reservations(session)
        return DatabaseState(
            block=block.number,
            block_hash=block.hash,
            first_block=first,
            balances={(address, program): posted for address, program, posted, *_ in accounts},
            pending={
                (address, program): Balance(0, reserved, expiring)
                for address, program, _, reserved, expiring in accounts
            },
            pending_by_orders=pending_by_orders,
            positions={
                number: (position, limit, reserved) for number, position, limit, reserved in session.execute(owners)
            },
            batches=_batches(session),
            orders=_final_orders(session),
            micros_reserved=micros_reserved,
        )


def _final_orders(session: Session) -> list[FinalOrder]:
    query = select(Order.id, Order.merchant_number, Order.nonce, Order.state, Order.reason)
    rows = session.execute(query.where(Order.state.not_in(_OPEN)).execution_options(yield_per=_ROWS))
    return [FinalOrder(*row) for row in rows]


_ACCOUNTS = select(Account.address, Account.program, Account.posted, Account.reserved, Account.expiring)


def _reservations(session: Session) -> tuple[dict[AccountKey, Balance], dict[int, int]]:
    points: dict[AccountKey, Balance] = defaultdict(Balance)
    micros: dict[int, int] = {}
    columns = (
        Instruction.draws_address, Instruction.draws_program, Instruction.kind, Instruction.points,
        Instruction.reserves, Instruction.payer, Instruction.pays,
    )  # fmt: skip
    query = select(*columns).join(Instruction.order).where(Order.state.in_(_OPEN)).execution_options(yield_per=_ROWS)
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


def _batches(session: Session) -> dict[int, StoredBatch]:
    roots = {number: merkle_root([entry.leaf() for entry in entries]) for number, entries in _entries(session)}
    nothing = merkle_root([])
    rows = session.execute(select(Batch.number, Batch.entries, Batch.root, Batch.head))
    return {
        number: StoredBatch(entries, root, head, roots.get(number, nothing)) for number, entries, root, head in rows
    }


def _entries(session: Session) -> Iterator[tuple[int, Iterator[receipts.Entry]]]:
    """Entries by batch, in order, as the chain hashed them."""
    columns = (
        Entry.batch, Entry.index, Entry.merchant, Entry.nonce, Entry.item, Entry.kind, Entry.expiry_day, Entry.program,
        Entry.agreement, Entry.address, Entry.points, Entry.out, Entry.settled, Entry.fee, Entry.ref, Entry.link,
    )  # fmt: skip
    query = select(*columns).order_by(Entry.batch, Entry.index).execution_options(yield_per=_ROWS)
    found = (receipts.Entry(*values) for values in map(tuple, session.execute(query)))
    return groupby(found, key=lambda entry: entry.batch)


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


def read_names(database: Database, addresses: set[str]) -> Names:
    """The names of these members, and of every program and merchant."""
    with database.reading() as session:
        wanted = sorted(addresses)[:_ROWS]
        members = session.execute(select(Member.address, Member.id).where(Member.address.in_(wanted)))
        programs = session.execute(select(Program.number, Program.code))
        merchants = session.execute(select(Merchant.number, Merchant.name))
        return Names(
            {address: id for address, id in members},  # noqa: A001, C416 (rows are not pairs to the type checker)
            {number: code for number, code in programs},  # noqa: C416
            {number: name for number, name in merchants},  # noqa: C416
        )
