"""What a reconciliation compares: accounts, positions, programs, the journal and the nonces of final orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clearing.ledger.accounts.repository import NOTHING
from clearing.ordering.orders.models import OrderState
from clearing.oversight.reconciliation.chain_state import TOTALS, ChainState
from clearing.oversight.reconciliation.contract_views import ContractViews
from clearing.oversight.reconciliation.repository import DatabaseState, FinalOrder, Names
from clearing.pipeline.unsent_orders import TOO_LARGE
from tongdui.encoding import address_word, hex_of, word
from tongdui.orders import Reason

_NOT_CONSUMED = {Reason.UNKNOWN_SIGNER.code, Reason.DEADLINE_PASSED.code, Reason.MERCHANT_CLOSED.code, TOO_LARGE}
"""Rejections of a whole order, by the chain or by the sequencer, that leave its nonce free."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Something on which the three do not agree. None where a source says nothing about it."""

    what: str
    subject: str
    database: str | None
    contract: str | None
    events: str | None


@dataclass(slots=True)
class Comparison:
    """Compares the three sources after one block: counts what it compares and keeps what differs."""

    database: DatabaseState
    contract: ContractViews
    events: ChainState
    names: Names
    checked: dict[str, int] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)

    def compare_everything(self) -> None:
        """Compares all that the three sources know."""
        self._compare_accounts()
        self._compare_reserved_points()
        self._compare_positions()
        self._compare_programs()
        self._compare_journal()
        self._compare_nonces()
        for fault in self.events.faults:
            self.drifts.append(Drift("events", fault, None, None, None))

    def _compare(
        self, what: str, subject: str, *, database: Any = None, contract: Any = None, events: Any = None
    ) -> None:
        """Compares the values of the sources that have one."""
        self.checked[what] = self.checked.get(what, 0) + 1
        values = [value for value in (database, contract, events) if value is not None]
        if any(value != values[0] for value in values):
            self.drifts.append(Drift(what, subject, _text(database), _text(contract), _text(events)))

    def _compare_accounts(self) -> None:
        keys = sorted({*self.database.balances, *self.events.balances})
        arguments = [address_word(address) + word(program) for address, program in keys]
        balances = self.contract.call_each("balanceOf(address,uint32)", arguments)
        for key, balance in zip(keys, balances, strict=True):
            self._compare(
                "balance",
                self.names.account(key),
                database=self.database.balances.get(key, 0),
                contract=_unsigned(balance),
                events=self.events.balances.get(key, 0),
            )

    def _compare_reserved_points(self) -> None:
        for key in sorted({*self.database.pending, *self.database.pending_by_orders}):
            stored = self.database.pending.get(key, NOTHING)
            counted = self.database.pending_by_orders.get(key, NOTHING)
            self.checked["reservation"] = self.checked.get("reservation", 0) + 1
            if stored.reserved != counted.reserved:
                detail = f"{stored.reserved}, but open orders reserve {counted.reserved}"
                self.drifts.append(Drift("reservation", self.names.account(key), detail, None, None))
            if stored.expiring != counted.expiring:
                detail = f"{stored.expiring}, but open orders will let {counted.expiring} expire"
                self.drifts.append(Drift("expiring points", self.names.account(key), detail, None, None))

    def _compare_positions(self) -> None:
        numbers = sorted({*self.database.positions, *self.events.positions})
        results = self.contract.call_each("merchantOf(uint32)", [word(number) for number in numbers])
        for number, fields in zip(numbers, results, strict=True):
            position, limit, reserved = self.database.positions.get(number, (0, 0, 0))
            subject = self.names.merchant(number)
            self._compare(
                "position",
                subject,
                database=position,
                contract=_signed(fields[32:64]),
                events=self.events.positions.get(number, 0),
            )
            self._compare(
                "credit limit",
                subject,
                database=limit,
                contract=_unsigned(fields[64:96]),
                events=self.events.limits.get(number, 0),
            )
            self._compare_reserved_micros(number, reserved)
        self._compare(
            "settlement funds",
            "all merchants",
            database=sum(position for position, _, _ in self.database.positions.values()),
            contract=_signed(self.contract.call("settlementFunds()")),
            events=self.events.funds,
        )

    def _compare_reserved_micros(self, number: int, reserved: int) -> None:
        counted = self.database.micros_reserved.get(number, 0)
        if reserved != counted:
            detail = f"{reserved}, but open orders and withdrawals reserve {counted}"
            self.drifts.append(Drift("reserved money", self.names.merchant(number), detail, None, None))

    def _compare_programs(self) -> None:
        numbers = sorted(self.events.totals)
        arguments = [word(number) for number in numbers]
        supplies = self.contract.call_each("totalSupply(uint32)", arguments)
        totals = self.contract.call_each("totalsOf(uint32)", arguments)
        posted: dict[int, int] = dict.fromkeys(numbers, 0)
        for (_, program), points in self.database.balances.items():
            posted[program] = posted.get(program, 0) + points
        for number, supply, fields in zip(numbers, supplies, totals, strict=True):
            code = self.names.program(number)
            self._compare(
                "supply",
                code,
                database=posted[number],
                contract=_unsigned(supply),
                events=self.events.supply(number),
            )
            for place, name in enumerate(TOTALS):
                self._compare(
                    "program total",
                    f"{code} {name}",
                    contract=_unsigned(fields[32 * place : 32 * place + 32]),
                    events=self.events.totals[number][place],
                )

    def _compare_journal(self) -> None:
        stored_batches, closed_batches = self.database.batches, self.events.batches
        numbers = sorted({*stored_batches, *closed_batches})
        roots = self.contract.call_each("rootOf(uint40)", [word(number) for number in numbers])
        for number, root in zip(numbers, roots, strict=True):
            self._compare_batch(number, root)
        last = max(numbers, default=0)
        self._compare(
            "head",
            "journal",
            database=stored_batches[last].head if last in stored_batches else bytes(32),
            contract=self.contract.call("head()"),
            events=self.events.head,
        )
        self._compare(
            "batches",
            "journal",
            database=len(stored_batches),
            contract=_unsigned(self.contract.call("batchCount()")),
            events=len(closed_batches),
        )

    def _compare_batch(self, number: int, root: bytes) -> None:
        stored, closed = self.database.batches.get(number), self.events.batches.get(number)
        subject = f"batch {number}"
        events_root = closed.root if closed else b""
        self._compare("root", subject, database=stored.root if stored else b"", contract=root, events=events_root)
        if stored is not None:
            self._compare("entries of a batch", subject, database=stored.recomputed, events=events_root)
            self._compare("head", subject, database=stored.head, events=closed.head if closed else b"")

    def _compare_nonces(self) -> None:
        """Whether a final order's nonce was used up as its state implies."""
        orders = self.database.orders
        arguments = [word(order.merchant) + word(order.nonce) for order in orders]
        results = self.contract.call_each("nonceUsed(uint32,uint48)", arguments)
        for order, used in zip(orders, results, strict=True):
            # No event names the nonce of a signer's change, and an order rejected for a used nonce may have met that one.
            is_known = order.reason != Reason.NONCE_USED.code
            self._compare(
                "nonce",
                f"{order.id} ({order.state}, merchant {order.merchant}, nonce {order.nonce})",
                database=_consumes_nonce(order),
                contract=bool(_unsigned(used)),
                events=self.events.has_used(order.merchant, order.nonce) if is_known else None,
            )


def _consumes_nonce(order: FinalOrder) -> bool:
    if order.state is OrderState.REJECTED:
        return order.reason not in _NOT_CONSUMED
    return order.state is OrderState.SETTLED


def _unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return hex_of(value)
    return None if value is None else str(value)
