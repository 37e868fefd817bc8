"""Reconciliation: database = contract = events, at one block, while the network runs.

The database is read in one snapshot, which ends with some block; the contract is asked about the state after that very block; and
the books are made from the events up to it. Whatever the three do not agree on is a drift, with what each of them says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient, ChainError
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.events.repository import EventRepository
from clearing.ordering.orders.models import OrderState
from clearing.oversight.reconciliation.chain_state import TOTALS, Books, read_books
from clearing.oversight.reconciliation.repository import Belief, FinalOrder, Names, read_belief, read_names
from clearing.pipeline.sequencer import TOO_LARGE
from tongdui.encoding import address_word, hex_of, keccak256, word
from tongdui.orders import Reason

log = structlog.get_logger(__name__)

_CALLS_A_REQUEST = 500
_ATTEMPTS = 5
_NOT_CONSUMED = {Reason.UNKNOWN_SIGNER.code, Reason.DEADLINE_PASSED.code, Reason.MERCHANT_CLOSED.code, TOO_LARGE}
"""Refusals of a whole order, by the chain or by the sequencer, that leave its nonce free."""


class CannotReconcile(Exception):
    """Nothing was compared; the message says why. That is not a drift."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that the three do not agree on. None: this source does not say."""

    what: str
    subject: str
    database: str | None
    contract: str | None
    events: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, at which block, and what did not agree."""

    block: int
    block_hash: str
    contract: str
    seconds: float
    checked: dict[str, int]
    drifts: list[Drift]

    @property
    def is_clean(self) -> bool:
        """Whether everything agreed."""
        return not self.drifts

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"clean": self.is_clean, **asdict(self)}


@dataclass(slots=True)
class _Comparison:
    """Counts what is compared, and keeps what differs."""

    checked: dict[str, int] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)

    def compare(
        self, what: str, subject: str, *, database: Any = None, contract: Any = None, events: Any = None
    ) -> None:
        """Compares those that say something."""
        self.checked[what] = self.checked.get(what, 0) + 1
        said = [value for value in (database, contract, events) if value is not None]
        if any(value != said[0] for value in said):
            self.drifts.append(Drift(what, subject, _text(database), _text(contract), _text(events)))


class ReconciliationService:
    """Compares the database, the contract and the contract's events. It changes nothing."""

    def __init__(self, database: Database, client: ChainClient, settings: Settings) -> None:
        self._database = database
        self._client = client
        self._address = settings.contract

    def run(self) -> Report:
        """Compares everything. Raises CannotReconcile where the node cannot tell the past, ChainUnreachable where it is away."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(0.2 * attempt)  # the chain moved under us; perhaps the projector has yet to follow it
            belief = read_belief(self._database)
            if belief is None:
                raise CannotReconcile("the database has no block yet: is the projector running?")
            if self._client.block_hash(belief.block) != belief.block_hash:
                continue
            try:
                report = self._reconcile(belief)
            except ChainError as error:
                log.warning("cannot read the chain's past", block=belief.block, error=str(error))
                continue
            if self._client.block_hash(belief.block) == belief.block_hash:
                return report
        raise CannotReconcile(f"the node does not tell the state after the database's block ({_ATTEMPTS} attempts)")

    def _reconcile(self, belief: Belief) -> Report:
        begin = time.monotonic()
        books = read_books(self._client, self._address, belief.first_block, belief.block)
        said = _Contract(self._client, self._address, belief.block)
        addresses = {address for address, _ in {**belief.balances, **books.balances}}
        names = read_names(self._database, addresses)
        comparison = _Comparison()
        _compare_accounts(comparison, belief, said, books, names)
        _compare_positions(comparison, belief, said, books, names)
        _compare_programs(comparison, belief, said, books, names)
        _compare_journal(comparison, belief, said, books)
        _compare_nonces(comparison, belief, said, books)
        for fault in books.faults:
            comparison.drifts.append(Drift("events", fault, None, None, None))
        return Report(
            block=belief.block,
            block_hash=hex_of(belief.block_hash),
            contract=self._address,
            seconds=round(time.monotonic() - begin, 3),
            checked={**comparison.checked, "event": books.events, "entry": books.entries},
            drifts=comparison.drifts,
        )


def record(session: Session, report: Report, actor: str) -> None:
    """Writes the event of a reconciliation, with the first drifts, in the caller's transaction."""
    outcome = "reconciliation.clean" if report.is_clean else "reconciliation.drifted"
    data = {
        "block": report.block,
        "checked": report.checked,
        "drifts": len(report.drifts),
        "first": [asdict(drift) for drift in report.drifts[:20]],
    }
    EventRepository(session).add(outcome, report.block_hash, actor, None, data)
    (log.info if report.is_clean else log.error)("reconciled", block=report.block, drifts=len(report.drifts))


class _Contract:
    """The contract's views after one block, many to a request."""

    def __init__(self, client: ChainClient, address: str, block: int) -> None:
        self._client = client
        self._address = address
        self._block = hex(block)

    def ask(self, signature: str, arguments: Sequence[bytes]) -> Iterator[bytes]:
        """The answers of a view for each of some encoded arguments."""
        selector = keccak256(signature.encode())[:4]
        for start in range(0, len(arguments), _CALLS_A_REQUEST):
            calls = [
                ("eth_call", ({"to": self._address, "data": hex_of(selector + argument)}, self._block))
                for argument in arguments[start : start + _CALLS_A_REQUEST]
            ]
            for answer in self._client.batch(calls):
                if isinstance(answer, ChainError):
                    raise answer
                yield bytes.fromhex(answer[2:])

    def one(self, signature: str) -> bytes:
        """The answer of a view without arguments."""
        return next(self.ask(signature, [b""]))


def _compare_accounts(comparison: _Comparison, belief: Belief, said: _Contract, books: Books, names: Names) -> None:
    keys = sorted({*belief.balances, *books.balances})
    answers = said.ask(
        "balanceOf(address,uint32)", [address_word(address) + word(program) for address, program in keys]
    )
    for key, answer in zip(keys, answers, strict=True):
        comparison.compare(
            "balance",
            names.account(key),
            database=belief.balances.get(key, 0),
            contract=_int(answer),
            events=books.balances.get(key, 0),
        )
    for key in sorted({*belief.reserved, *belief.set_aside}):
        reserved, counted = belief.reserved.get(key, 0), belief.set_aside.get(key, 0)
        comparison.checked["reservation"] = comparison.checked.get("reservation", 0) + 1
        if reserved != counted:
            detail = f"{reserved}, but open orders reserve {counted}"
            comparison.drifts.append(Drift("reservation", names.account(key), detail, None, None))


def _compare_positions(comparison: _Comparison, belief: Belief, said: _Contract, books: Books, names: Names) -> None:
    numbers = sorted({*belief.positions, *books.positions})
    for number, answer in zip(numbers, said.ask("merchantOf(uint32)", [word(n) for n in numbers]), strict=True):
        position, limit, reserved = belief.positions.get(number, (0, 0, 0))
        subject = names.merchant(number)
        comparison.compare(
            "position",
            subject,
            database=position,
            contract=_signed(answer[32:64]),
            events=books.positions.get(number, 0),
        )
        comparison.compare(
            "credit limit", subject, database=limit, contract=_int(answer[64:96]), events=books.limits.get(number, 0)
        )
        owed = belief.owed.get(number, 0)
        if reserved != owed:
            detail = f"{reserved}, but open orders and withdrawals reserve {owed}"
            comparison.drifts.append(Drift("reserved money", subject, detail, None, None))
    comparison.compare(
        "settlement funds",
        "all merchants",
        database=sum(position for position, _, _ in belief.positions.values()),
        contract=_signed(said.one("settlementFunds()")),
        events=books.funds,
    )


def _compare_programs(comparison: _Comparison, belief: Belief, said: _Contract, books: Books, names: Names) -> None:
    numbers = sorted(books.totals)
    arguments = [word(number) for number in numbers]
    supplies = said.ask("totalSupply(uint32)", arguments)
    totals = said.ask("totalsOf(uint32)", arguments)
    posted: dict[int, int] = dict.fromkeys(numbers, 0)
    for (_, program), points in belief.balances.items():
        posted[program] = posted.get(program, 0) + points
    for number, supply, fields in zip(numbers, supplies, totals, strict=True):
        code = names.programs.get(number, f"program {number}")
        comparison.compare("supply", code, database=posted[number], contract=_int(supply), events=books.supply(number))
        for place, name in enumerate(TOTALS):
            comparison.compare(
                "program total",
                f"{code} {name}",
                contract=_int(fields[32 * place : 32 * place + 32]),
                events=books.totals[number][place],
            )


def _compare_journal(comparison: _Comparison, belief: Belief, said: _Contract, books: Books) -> None:
    numbers = sorted({*belief.batches, *books.batches})
    roots = said.ask("rootOf(uint40)", [word(number) for number in numbers])
    for number, root in zip(numbers, roots, strict=True):
        stored, told = belief.batches.get(number), books.batches.get(number)
        subject = f"batch {number}"
        comparison.compare(
            "root",
            subject,
            database=stored.root if stored else b"",
            contract=root,
            events=told.root if told else b"",
        )
        if stored is not None:
            comparison.compare(
                "entries of a batch", subject, database=stored.recomputed, events=told.root if told else b""
            )
            comparison.compare("head", subject, database=stored.head, events=told.head if told else b"")
    last = max(numbers, default=0)
    comparison.compare(
        "head",
        "journal",
        database=belief.batches[last].head if last in belief.batches else bytes(32),
        contract=said.one("head()"),
        events=books.head,
    )
    comparison.compare(
        "batches",
        "journal",
        database=len(belief.batches),
        contract=_int(said.one("batchCount()")),
        events=len(books.batches),
    )


def _compare_nonces(comparison: _Comparison, belief: Belief, said: _Contract, books: Books) -> None:
    """A final order's nonce was consumed, or was not, as its state implies."""
    orders = belief.orders
    answers = said.ask("nonceUsed(uint32,uint48)", [word(order.merchant) + word(order.nonce) for order in orders])
    for order, answer in zip(orders, answers, strict=True):
        comparison.compare(
            "nonce",
            f"{order.id} ({order.state}, merchant {order.merchant}, nonce {order.nonce})",
            database=_consumes(order),
            contract=bool(_int(answer)),
            # No event names the nonce of a signer's change, which is what a refusal for a used nonce may have met.
            events=None if order.reason == Reason.NONCE_USED.code else books.has_used(order.merchant, order.nonce),
        )


def _consumes(order: FinalOrder) -> bool:
    if order.state is OrderState.REJECTED:
        return order.reason not in _NOT_CONSUMED
    return order.state is OrderState.SETTLED


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return hex_of(value)
    return None if value is None else str(value)


def summary(report: Report) -> Iterable[tuple[str, int, int]]:
    """What was compared, how many of it, and how many of them drifted."""
    drifted: dict[str, int] = {}
    for drift in report.drifts:
        drifted[drift.what] = drifted.get(drift.what, 0) + 1
    for what, count in {**dict.fromkeys(drifted, 0), **report.checked}.items():
        yield what, count, drifted.get(what, 0)
