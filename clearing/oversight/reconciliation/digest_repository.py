"""SQL of digests and rebuilds: which rows and columns of the read model the chain determines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.database import Base
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.ledger.accounts.models import Account
from clearing.ledger.activity.models import DailyTotal
from clearing.ledger.activity.totals import TotalKey
from clearing.ledger.journal.models import Batch, Block, ChainEvent, Entry, Rejection
from clearing.ledger.settlement.models import Position
from clearing.ordering.orders.models import Order
from clearing.parties.agreements.models import Agreement
from clearing.parties.agreements.repository import REGISTERED
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.programs.models import Program, ProgramStatus

_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class DeterminedPart:
    """The part of a table that the chain determines."""

    table: str
    columns: Sequence[InstrumentedAttribute[Any]]
    key: Sequence[InstrumentedAttribute[Any]]
    where: Sequence[ColumnElement[bool]] = ()
    keep: Callable[[Sequence[Any]], bool] | None = None
    """A condition that SQL cannot put on SQLite's numbers, which are text."""


def _all(model: type[Base], *without: str) -> list[InstrumentedAttribute[Any]]:
    return [getattr(model, column.name) for column in model.__table__.columns if column.name not in without]


_REGISTERED_MERCHANT = Merchant.status != MerchantStatus.PENDING

DETERMINED_PARTS = (
    DeterminedPart("blocks", _all(Block), [Block.number]),
    DeterminedPart("batches", _all(Batch), [Batch.number]),
    DeterminedPart("entries", _all(Entry), [Entry.batch, Entry.index]),
    DeterminedPart("rejections", _all(Rejection), [Rejection.block_number, Rejection.log_index]),
    DeterminedPart("chain_events", _all(ChainEvent, "undo"), [ChainEvent.block_number, ChainEvent.log_index]),
    # An account that a reorganisation emptied for good is a row with nothing in it.
    DeterminedPart(
        "accounts",
        [Account.address, Account.program, Account.posted],
        [Account.address, Account.program],
        keep=lambda row: row[2] != 0,
    ),
    DeterminedPart(
        "positions",
        [Position.merchant_number, Position.position, Position.credit_limit],
        [Position.merchant_number],
        keep=lambda row: row[1:] != (0, 0),
    ),
    DeterminedPart("daily_totals", _all(DailyTotal), _all(DailyTotal)[: len(TotalKey._fields)]),
    DeterminedPart("merchants", [Merchant.number, Merchant.status], [Merchant.number], [_REGISTERED_MERCHANT]),
    DeterminedPart(
        "signer_keys",
        [SignerKey.address, SignerKey.merchant_number, SignerKey.valid_from, SignerKey.valid_until],
        [SignerKey.address],
        [SignerKey.merchant_number.in_(select(Merchant.number).where(_REGISTERED_MERCHANT))],
    ),
    DeterminedPart(
        "programs",
        [Program.number, Program.merchant_number, Program.code, Program.status],
        [Program.number],
        [Program.status != ProgramStatus.PENDING],
    ),
    DeterminedPart(
        "agreements",
        [Agreement.number, Agreement.digest, Agreement.state, Agreement.ends_at, Agreement.superseded_by],
        [Agreement.number],
        [Agreement.state.in_(REGISTERED)],
    ),
)


class DigestRepository:
    """The read model's determined parts in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def rows(self, part: DeterminedPart) -> Iterator[tuple[Any, ...]]:
        """The part's rows, in the order of its key."""
        query = select(*part.columns).where(*part.where).order_by(*part.key).execution_options(yield_per=_ROWS)
        for row in self._session.execute(query):
            values = tuple(row)
            if part.keep is None or part.keep(values):
                yield values

    def occupied_table(self, *, projected: bool) -> str | None:
        """A table that has rows already; None in an empty database. Unless `projected`, rows of the projector do not count."""
        tables: list[type[Base]] = [Order, Member, IdempotencyRecord, *([Block, Merchant] if projected else [])]
        for model in tables:
            if self._session.execute(select(*model.__table__.primary_key).limit(1)).first() is not None:
                return str(model.__tablename__)
        return None

    def block_range(self) -> tuple[int, int] | None:
        """Numbers of the first and the last block; None where there is no block."""
        first = self._session.scalar(select(func.min(Block.number)))
        last = self._session.scalar(select(func.max(Block.number)))
        return (first, last) if first is not None and last is not None else None

    def continue_nonces(self) -> None:
        """Lets every merchant's nonces begin behind those that the chain has seen, should this database go live."""
        for table in (Entry, Rejection):
            highest = self._session.execute(select(table.merchant, func.max(table.nonce)).group_by(table.merchant))
            for number, nonce in highest.all():
                merchant = self._session.get(Merchant, number)
                if merchant is not None:
                    merchant.next_nonce = max(merchant.next_nonce or 0, nonce + 1)
