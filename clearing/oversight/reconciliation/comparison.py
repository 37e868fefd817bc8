"""What a reconciliation compares, piece by piece: accounts, positions, programs, journal, nonces of final orders, reservations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from clearing.ledger.accounts.repository import NOTHING, AccountKey
from clearing.ordering.orders.models import OrderState
from clearing.oversight.reconciliation.chain_state import TOTALS, ChainState, ClosedBatch
from clearing.oversight.reconciliation.contract_views import ContractViews
from clearing.oversight.reconciliation.repository import (
    NO_ACCOUNT,
    AccountRow,
    FinalOrder,
    Names,
    Snapshot,
    StoredBatch,
)
from clearing.pipeline.unsent_orders import TOO_LARGE
from tongdui.encoding import address_word, hex_of, word
from tongdui.orders import Reason

_NOT_CONSUMED = {Reason.UNKNOWN_SIGNER.code, Reason.DEADLINE_PASSED.code, Reason.MERCHANT_CLOSED.code, TOO_LARGE}
"""Rejections of a whole order, by the chain or by the sequencer, that leave its nonce free."""
_KEPT = 10_000
"""So many drifts are kept; of all others only the number."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Something on which the three do not agree. None where a source says nothing about it."""

    what: str
    subject: str
    database: str | None
    contract: str | None
    events: str | None


@dataclass(slots=True)
class Findings:
    """What was compared, and what did not agree, from the beginning of a reconciliation."""

    checked: dict[str, int] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    drifted: int = 0
    reserving: set[AccountKey] = field(default_factory=set)
    """Accounts of which something is reserved: to be compared with the open orders."""

    def as_json(self) -> dict[str, Any]:
        """As they are kept between two steps."""
        return {
            "checked": self.checked,
            "drifts": [asdict(drift) for drift in self.drifts],
            "drifted": self.drifted,
            "reserving": sorted(self.reserving),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Findings:
        """The findings that were kept."""
        reserving = {(address, program) for address, program in kept["reserving"]}
        drifts = [Drift(**drift) for drift in kept["drifts"]]
        return cls(dict(kept["checked"]), drifts, kept["drifted"], reserving)

    def count(self, what: str, times: int = 1) -> None:
        """Counts what was compared."""
        self.checked[what] = self.checked.get(what, 0) + times

    def drift(self, what: str, subject: str, database: Any = None, contract: Any = None, events: Any = None) -> None:
        """Notes something that does not agree."""
        self.drifted += 1
        if len(self.drifts) < _KEPT:
            self.drifts.append(Drift(what, subject, _text(database), _text(contract), _text(events)))

    def compare(
        self, what: str, subject: str, *, database: Any = None, contract: Any = None, events: Any = None
    ) -> None:
        """Compares the values of the sources that have one."""
        self.count(what)
        values = [value for value in (database, contract, events) if value is not None]
        if any(value != values[0] for value in values):
            self.drift(what, subject, database, contract, events)


@dataclass(slots=True)
class Comparison:
    """Compares the sources after the block of one snapshot."""

    snapshot: Snapshot
    contract: ContractViews
    findings: Findings
    _names: Names | None = None

    # ---------------------------------------------------------------- accounts

    def compare_accounts(self, rows: Mapping[AccountKey, AccountRow], events: Mapping[AccountKey, int] | None) -> None:
        """Compares balances. `events` are those of the events, where somebody added them up; None where nobody did."""
        keys = sorted({*rows, *(events or ())})
        arguments = [address_word(address) + word(program) for address, program in keys]
        balances = self.contract.call_each("balanceOf(address,uint32)", arguments)
        found = [
            (key, rows.get(key, NO_ACCOUNT).posted, _unsigned(balance), None if events is None else events.get(key, 0))
            for key, balance in zip(keys, balances, strict=True)
        ]
        names = self._names_of({key[0] for key, *values in found if len({v for v in values if v is not None}) > 1})
        for key, database, contract, posted in found:
            subject = names.account(key)
            self.findings.compare("balance", subject, database=database, contract=contract, events=posted)
        self.findings.count("reservation", len(rows))
        self.findings.reserving |= {key for key, row in rows.items() if row.reserved or row.expiring}

    def compare_reservations(self) -> None:
        """Compares what accounts and positions reserve with what open orders and withdrawals reserve, and with holds' orders."""
        counted = self.snapshot.reservations()
        keys = sorted({*self.findings.reserving, *counted.points})
        rows = self.snapshot.accounts(keys)
        names = self._names_of({address for address, _ in keys})
        for key in keys:
            row, by_orders = rows.get(key, NO_ACCOUNT), counted.points.get(key, NOTHING)
            if row.reserved != by_orders.reserved:
                detail = f"{row.reserved}, but open orders reserve {by_orders.reserved}"
                self.findings.drift("reservation", names.account(key), detail)
            if row.expiring != by_orders.expiring:
                detail = f"{row.expiring}, but open orders will let {by_orders.expiring} expire"
                self.findings.drift("expiring points", names.account(key), detail)
        for number, (_, _, reserved) in sorted(self.snapshot.positions().items()):
            if reserved != counted.micros.get(number, 0):
                detail = f"{reserved}, but open orders and withdrawals reserve {counted.micros.get(number, 0)}"
                self.findings.drift("reserved money", names.merchant(number), detail)
        for hold, drawing in self.snapshot.wrong_drawings():
            its_order = "final" if drawing else "pending"
            self.findings.drift("drawing hold", hold, f"{drawing}, but its order is {its_order}")

    # ---------------------------------------------------------------- merchants and programs

    def compare_positions(self, events: ChainState) -> None:
        """Compares positions, credit limits and the money behind them."""
        stored = self.snapshot.positions()
        numbers = sorted({*stored, *events.positions})
        names = self._names_of(())
        results = self.contract.call_each("merchantOf(uint32)", [word(number) for number in numbers])
        for number, fields in zip(numbers, results, strict=True):
            position, limit, _ = stored.get(number, (0, 0, 0))
            subject = names.merchant(number)
            self.findings.compare(
                "position",
                subject,
                database=position,
                contract=_signed(fields[32:64]),
                events=events.positions.get(number, 0),
            )
            self.findings.compare(
                "credit limit",
                subject,
                database=limit,
                contract=_unsigned(fields[64:96]),
                events=events.limits.get(number, 0),
            )
        self.findings.compare(
            "settlement funds",
            "all merchants",
            database=sum(position for position, _, _ in stored.values()),
            contract=_signed(self.contract.call("settlementFunds()")),
            events=events.funds,
        )

    def compare_programs(self, events: ChainState, posted: Mapping[int, int] | None) -> None:
        """Compares totals. `posted` is the sum of all accounts by program, where somebody added them up."""
        numbers = sorted(events.totals)
        arguments = [word(number) for number in numbers]
        supplies = self.contract.call_each("totalSupply(uint32)", arguments)
        totals = self.contract.call_each("totalsOf(uint32)", arguments)
        names = self._names_of(())
        stored = self.snapshot.program_totals()
        for number, supply, fields in zip(numbers, supplies, totals, strict=True):
            code = names.program(number)
            self.findings.compare(
                "supply",
                code,
                database=None if posted is None else posted.get(number, 0),
                contract=_unsigned(supply),
                events=events.supply(number),
            )
            for place, name in enumerate(TOTALS):
                self.findings.compare(
                    "program total",
                    f"{code} {name}",
                    database=stored.get(number, {}).get(name, 0),
                    contract=_unsigned(fields[32 * place : 32 * place + 32]),
                    events=events.totals[number][place],
                )

    def compare_issuance_caps(self) -> None:
        """Compares what programs may issue on the day of the block, and later."""
        stored = self.snapshot.issuance_caps(_unsigned(self.contract.call("today()")))
        names = self._names_of(())
        results = self.contract.call_each("issuanceCapOf(uint32)", [word(number) for number in sorted(stored)])
        for number, fields in zip(sorted(stored), results, strict=True):
            today, _, later, later_from = (_unsigned(fields[start : start + 32]) for start in range(0, 128, 32))
            self.findings.compare(
                "issuance cap",
                names.program(number),
                database=_cap(*stored[number]),
                contract=_cap(today, later, later_from),
            )

    def compare_activity(self, *, with_days: bool) -> None:
        """Compares what daily totals say of positions with the positions; and, with their days, the totals among themselves."""
        names, stored = self._names_of(()), self.snapshot.positions()
        net = self.snapshot.activity_net()
        for number in sorted({*stored, *net}):
            position = stored.get(number, (0, 0, 0))[0]
            self.findings.count("activity")
            if net.get(number, 0) != position:
                detail = f"the totals add up to {net.get(number, 0)}, the position is {position}"
                self.findings.drift("activity", names.merchant(number), detail)
        for key in self.snapshot.wrong_activity() if with_days else ():
            self.findings.drift("activity", f"{names.merchant(key.merchant)}: {key}", "the days do not add up")

    # ---------------------------------------------------------------- the journal

    def compare_batches(self, stored: Mapping[int, StoredBatch], closed: Mapping[int, ClosedBatch]) -> None:
        """Compares the batches of some blocks, and their entries by the root that these give."""
        numbers = sorted({*stored, *closed})
        roots = self.contract.call_each("rootOf(uint40)", [word(number) for number in numbers])
        for number, root in zip(numbers, roots, strict=True):
            self._compare_batch(number, root, stored.get(number), closed.get(number))

    def _compare_batch(self, number: int, root: bytes, stored: StoredBatch | None, closed: ClosedBatch | None) -> None:
        subject = f"batch {number}"
        events_root = closed.root if closed else b""
        database = stored.root if stored else b""
        self.findings.compare("root", subject, database=database, contract=root, events=events_root)
        if stored is not None:
            self.findings.compare("entries of a batch", subject, database=stored.recomputed, events=events_root)
            self.findings.compare("head", subject, database=stored.head, events=closed.head if closed else b"")

    def compare_head(self, events: ChainState) -> None:
        """Compares the end of the journal."""
        count, head = self.snapshot.newest_batch()
        contracts = self.contract.call("head()")
        self.findings.compare("head", "journal", database=head, contract=contracts, events=events.head)
        batches = _unsigned(self.contract.call("batchCount()"))
        self.findings.compare("batches", "journal", database=count, contract=batches, events=events.batches)

    # ---------------------------------------------------------------- orders

    def compare_nonces(self, orders: Iterable[FinalOrder], used: Collection[tuple[int, int]] | None) -> None:
        """Whether a final order's nonce was used up as its state implies. `used` are those that the events of these orders used up;
        None where nobody knows."""
        orders = list(orders)
        arguments = [word(order.merchant) + word(order.nonce) for order in orders]
        results = self.contract.call_each("nonceUsed(uint32,uint48)", arguments)
        for order, by_contract in zip(orders, results, strict=True):
            # No event names the nonce of a signer's change, and an order rejected for a used nonce may have met that one.
            is_known = used is not None and order.reason != Reason.NONCE_USED.code
            self.findings.compare(
                "nonce",
                f"{order.id} ({order.state}, merchant {order.merchant}, nonce {order.nonce})",
                database=_consumes_nonce(order),
                contract=bool(_unsigned(by_contract)),
                events=(order.merchant, order.nonce) in used if is_known and used is not None else None,
            )

    # ---------------------------------------------------------------- names

    def _names_of(self, addresses: Collection[str]) -> Names:
        """Names of members, where one of them will be named; of programs and merchants always."""
        if addresses or self._names is None:
            self._names = self.snapshot.names(addresses)
        return self._names


def _consumes_nonce(order: FinalOrder) -> bool:
    if order.state is OrderState.REJECTED:
        return order.reason not in _NOT_CONSUMED
    return order.state is OrderState.SETTLED


def _unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _cap(points: int, later: int, later_from: int) -> str:
    return f"{points}, from day {later_from} on {later}" if later_from else str(points)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return hex_of(value)
    return None if value is None else str(value)
