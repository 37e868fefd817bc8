"""Rebuilds the read model from the chain into an empty database, and says by digests whether two databases hold the same.

What is compared is what the chain determines. Ids and names that the gateway gave, what is still on its way, and what an event
replaced (which a reorganisation would put back) are not in the chain, so they are not in the digests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.chain.client import ChainClient
from clearing.kit.config import Settings
from clearing.kit.database import Base, Database
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Batch, Block, ChainEvent, Entry, Rejection
from clearing.ledger.journal.repository import BlockRepository
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Order
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.pipeline.projector import Projector
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

_ROWS = 2_000
_ATTEMPTS = 20


class NotEmpty(Exception):
    """The database to rebuild into has something in it already."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """A table's rows, counted and hashed in order."""

    table: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Digest:
    """The read model after a block."""

    block: int
    block_hash: str
    tables: tuple[TableDigest, ...]

    @property
    def overall(self) -> str:
        """One hash for all of it."""
        return sha256("".join(table.digest for table in self.tables).encode()).hexdigest()

    def differing(self, other: Digest) -> list[str]:
        """Names of the tables that are not the same."""
        return [ours.table for ours, theirs in zip(self.tables, other.tables, strict=True) if ours != theirs]


@dataclass(frozen=True, slots=True)
class _Facts:
    """Which part of a table the chain determines."""

    name: str
    columns: Sequence[InstrumentedAttribute[Any]]
    key: Sequence[InstrumentedAttribute[Any]]
    where: Sequence[ColumnElement[bool]] = ()
    keep: Callable[[Sequence[Any]], bool] | None = None
    """For what SQL cannot say of SQLite's text numbers."""


def _all(model: type[Base], *without: str) -> list[InstrumentedAttribute[Any]]:
    return [getattr(model, column.name) for column in model.__table__.columns if column.name not in without]


_FACTS = (
    _Facts("blocks", _all(Block), [Block.number]),
    _Facts("batches", _all(Batch), [Batch.number]),
    _Facts("entries", _all(Entry), [Entry.batch, Entry.index]),
    _Facts("rejections", _all(Rejection), [Rejection.block_number, Rejection.log_index]),
    _Facts("chain_events", _all(ChainEvent, "undo"), [ChainEvent.block_number, ChainEvent.log_index]),
    # An account that a reorganisation emptied for good is a row with nothing in it.
    _Facts(
        "accounts",
        [Account.address, Account.program, Account.posted],
        [Account.address, Account.program],
        keep=lambda row: row[2] != 0,
    ),
    _Facts(
        "positions",
        [Position.merchant_number, Position.position, Position.credit_limit],
        [Position.merchant_number],
        keep=lambda row: row[1:] != (0, 0),
    ),
    _Facts(
        "merchants", [Merchant.number, Merchant.status], [Merchant.number], [Merchant.status != MerchantStatus.PENDING]
    ),
    _Facts(
        "signer_keys",
        [SignerKey.address, SignerKey.merchant_number, SignerKey.valid_from, SignerKey.valid_until],
        [SignerKey.address],
        [SignerKey.merchant_number.in_(select(Merchant.number).where(Merchant.status != MerchantStatus.PENDING))],
    ),
    _Facts(
        "programs",
        [Program.number, Program.merchant_number, Program.code, Program.status],
        [Program.number],
        [Program.status != ProgramStatus.PENDING],
    ),
    _Facts(
        "agreements",
        [Agreement.number, Agreement.digest, Agreement.state, Agreement.ends_at],
        [Agreement.number],
        [Agreement.state.in_([AgreementState.ACTIVE, AgreementState.SUPERSEDED, AgreementState.TERMINATED])],
    ),
)


def digest(session: Session) -> Digest | None:
    """The digest of what this session sees; None where there is no block yet. The session should see one snapshot."""
    block = BlockRepository(session).last()
    if block is None:
        return None
    return Digest(block.number, hex_of(block.hash), tuple(_digest(session, facts) for facts in _FACTS))


def _digest(session: Session, facts: _Facts) -> TableDigest:
    hasher = sha256()
    count = 0
    query = select(*facts.columns).where(*facts.where).order_by(*facts.key).execution_options(yield_per=_ROWS)
    for row in session.execute(query):
        values = tuple(row)
        if facts.keep is None or facts.keep(values):
            hasher.update(json.dumps([_plain(value) for value in values], sort_keys=True).encode() + b"\n")
            count += 1
    return TableDigest(facts.name, count, hasher.hexdigest())


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


class RebuildService:
    """Projects the chain into an empty database."""

    def __init__(self, target: Database, client: ChainClient, settings: Settings) -> None:
        self._target = target
        self._client = client
        self._settings = settings

    def prepare(self) -> None:
        """Makes the tables. Raises NotEmpty where there is anything in them: this is not a way to overwrite a database."""
        self._target.upgrade()
        with self._target.session.begin() as session:
            for model in (Block, Order, Merchant):
                if session.scalar(select(func.count()).select_from(model)):
                    raise NotEmpty(f"there are rows in {model.__tablename__}: rebuild into an empty database")

    def rebuild(self, first: int | None = None, last: int | None = None) -> Digest:
        """Projects the blocks from `first` (default: where the contract was deployed) to `last` (default: the newest)."""
        projector = Projector(self._target, self._client, self._settings, first_block=first, last_block=last)
        while projector.step():
            pass
        with self._target.session.begin() as session:
            _continue_nonces(session)
            found = digest(session)
        if found is None:
            raise NotEmpty("the chain has no block to project")
        return found

    def compare(self, live: Database) -> tuple[Digest, Digest]:
        """Rebuilds up to where a live database stands, and digests both. The live one may go on working meanwhile."""
        with live.reading() as session:
            first = session.scalar(select(func.min(Block.number)))
            last = session.scalar(select(func.max(Block.number)))
        if last is None:
            raise NotEmpty("the live database has no block yet")
        self.rebuild(first, last)  # most of the work, before the snapshot
        for _ in range(_ATTEMPTS):
            with live.reading() as session:
                if not live.is_sqlite:
                    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                theirs = digest(session)
            assert theirs is not None
            ours = self.rebuild(first, theirs.block)
            if ours.block_hash == theirs.block_hash:
                return ours, theirs  # otherwise one of the two has not followed a reorganisation yet
        raise NotEmpty("the live database does not stand on the node's chain")


def _continue_nonces(session: Session) -> None:
    """Should this database go live, its gateway must not give nonces away that the chain has seen."""
    for table in (Entry, Rejection):
        highest: Iterable[Any] = session.execute(select(table.merchant, func.max(table.nonce)).group_by(table.merchant))
        for number, nonce in highest:
            merchant = session.get(Merchant, number)
            if merchant is not None:
                merchant.next_nonce = max(merchant.next_nonce or 0, nonce + 1)
