"""What the report adds up while it watches the chain: what points and money did, day by day, and who takes part with which keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

from ...encoding import hex_of
from ...orders import NO_NONCE, Kind, Reason
from ..effects import MOVEMENTS, moved, paid
from ..findings import Finding
from ..network import NetworkState
from ..tables import Tables
from ..watching import BlockSeen, EntrySeen, EventSeen, Watcher

_NO_MOVEMENTS = (0,) * (2 * len(MOVEMENTS))


class MerchantSeen(NamedTuple):
    """A merchant as it stands at the end. Money in micros."""

    merchant: int
    name: str
    status: int = 1
    credit_limit: int = 0
    position: int = 0
    most_used: int = 0
    """Of its credit limit, when it used the largest share of it."""
    most_used_of: int = 0
    """The credit limit then,"""
    most_used_on: int = 0
    """and the day."""


class ProgramSeen(NamedTuple):
    """A program as it stands at the end."""

    program: int
    merchant: int
    code: str
    name: str
    is_paused: bool = False


class PositionDay(NamedTuple):
    """A merchant's position on a day on which it changed, or its limit did. Money in micros."""

    closing: int
    lowest: int
    credit_limit: int


class KeyChange(NamedTuple):
    """A change of a key or role, or a change of the owner."""

    event: str
    whose: int | None
    """The merchant, of a signer key."""
    account: str
    valid_from: int | None
    """Unix seconds."""
    valid_until: int | None
    by_merchant: bool | None
    """Whether the merchant itself signed the change; None where it is no signer key's."""
    role: int | None
    held: bool | None
    block: int
    time: int
    transaction: str


class Figures(Watcher):
    """Adds up everything that the report shows. Feed it all entries and events of the chain."""

    def __init__(self, tables: Tables) -> None:
        self.daily = tables.table("figures.daily", default=_NO_MOVEMENTS)
        """(program, day) -> for each of `MOVEMENTS` the number of entries and their points."""
        self.owed = tables.table("figures.owed", default=(0, 0, 0))
        """(payer, payee, day) -> entries, settled micros and fee micros."""
        self.merchants = tables.table("figures.merchants", load=_of(MerchantSeen))
        self.programs = tables.table("figures.programs", load=_of(ProgramSeen))
        self.agreements = tables.table("figures.agreements")
        """Number -> the terms as a tuple, their present end, and the number of their successor or 0."""
        self.positions = tables.table("figures.positions", load=_of(PositionDay))
        """(merchant, day) -> its position."""
        self.keys = tables.table("figures.keys", load=_of(KeyChange))
        """Place in the history, from 1 -> the change."""
        self.counts = tables.table("figures.counts", default=0)
        """What was counted -> how often: `entries`, `batches`, `orders`, `entries.issue`, `refused.over_daily_cap` ..."""
        self.money = tables.table("figures.money", default=(0, 0))
        """(merchant, `Deposited` or `Withdrawn`) -> how often, and micros."""
        self._last_order = tables.table("figures.last_order", default=(0, 0, 0))

    # ---------------------------------------------------------------- entries

    def on_entry(self, seen: EntrySeen) -> Sequence[Finding]:
        """Adds an entry up."""
        entry, day = seen.entry, seen.block.day
        self._count("entries", f"entries.{Kind(entry.kind).label}")
        self._count_order(entry.batch, entry.merchant, entry.nonce)
        for one in moved(seen):
            sums = list(self.daily[one.program, day])
            sums[2 * one.movement] += 1
            sums[2 * one.movement + 1] += one.points
            self.daily[one.program, day] = tuple(sums)
        for payment in paid(seen):
            key, micros = (payment.payer, payment.payee, day), payment.settled + payment.fee
            entries, settled, fee = self.owed[key]
            self.owed[key] = (entries + 1, settled + payment.settled, fee + payment.fee)
            self._move_money(payment.payer, -micros, day)
            self._move_money(payment.payee, micros, day)
        return ()

    def _count(self, *names: str) -> None:
        for name in names:
            self.counts[name] += 1

    def _count_order(self, batch: int, merchant: int, nonce: int) -> None:
        """An order's entries stand together, so an order is counted when it begins."""
        order = (batch, merchant, nonce)
        if self._last_order["last"] != order:
            self._count("orders.with_entries")
            self._last_order["last"] = order

    def _merchant(self, merchant: int) -> MerchantSeen:
        """What is known of a merchant; nothing, where the chain never said who it is."""
        known: MerchantSeen | None = self.merchants.get(merchant)
        return known or MerchantSeen(merchant, "")

    def _move_money(self, merchant: int, micros: int, day: int) -> None:
        if micros:
            known = self._merchant(merchant)
            self._note_position(known._replace(position=known.position + micros), day)

    def _note_position(self, merchant: MerchantSeen, day: int) -> None:
        used, limit = max(-merchant.position, 0), merchant.credit_limit
        if used * max(merchant.most_used_of, 1) > merchant.most_used * max(limit, 1):
            merchant = merchant._replace(most_used=used, most_used_of=limit, most_used_on=day)
        self.merchants[merchant.merchant] = merchant
        before = self.positions.get((merchant.merchant, day))
        lowest = min(before.lowest, merchant.position) if before else merchant.position
        self.positions[merchant.merchant, day] = PositionDay(merchant.position, lowest, limit)

    # ---------------------------------------------------------------- events

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes in who takes part, with which keys and limits, and what was refused."""
        take = _EVENTS.get(seen.name)
        if take is not None:
            take(self, seen, *seen.values)
        return ()

    def _merchant_registered(self, seen: EventSeen, merchant: int, limit: int, name: bytes) -> None:
        self.merchants[merchant] = MerchantSeen(merchant, text_of(name), credit_limit=limit)

    def _merchant_status(self, seen: EventSeen, merchant: int, status: int) -> None:
        self.merchants[merchant] = self._merchant(merchant)._replace(status=int(status))

    def _credit_limit(self, seen: EventSeen, merchant: int, micros: int) -> None:
        self._note_position(self._merchant(merchant)._replace(credit_limit=micros), seen.block.day)

    def _bank(self, seen: EventSeen, merchant: int, micros: int, _reference: bytes) -> None:
        count, total = self.money[merchant, seen.name]
        self.money[merchant, seen.name] = (count + 1, total + micros)
        self._move_money(merchant, micros if seen.name == "Deposited" else -micros, seen.block.day)

    def _program_registered(self, seen: EventSeen, program: int, merchant: int, code: bytes, name: bytes) -> None:
        self.programs[program] = ProgramSeen(program, merchant, text_of(code), text_of(name))

    def _program_paused(self, seen: EventSeen, program: int, is_paused: bool) -> None:
        self.programs[program] = self.programs[program]._replace(is_paused=is_paused)

    def _agreement(self, seen: EventSeen, number: int, _digest: bytes, terms: tuple[Any, ...], *_signed: bytes) -> None:
        self.agreements[number] = (tuple(terms), terms[9], 0)

    def _agreement_ends(self, seen: EventSeen, number: int, valid_until: int, successor: int) -> None:
        terms, _, _ = self.agreements[number]
        self.agreements[number] = (terms, valid_until, successor)

    def _signer(self, seen: EventSeen, merchant: int, key: str, start: int, end: int, nonce: int) -> None:
        self._note_key(seen, key, whose=merchant, valid_from=start, valid_until=end, by_merchant=nonce != NO_NONCE)

    def _role(self, seen: EventSeen, role: int, account: str, held: bool) -> None:
        self._note_key(seen, account, role=int(role), held=held)

    def _owner(self, seen: EventSeen, _previous: str, owner: str) -> None:
        self._note_key(seen, owner)

    def _note_key(self, seen: EventSeen, account: str, **more: Any) -> None:
        nothing = dict.fromkeys(("whose", "valid_from", "valid_until", "by_merchant", "role", "held"))
        self._count("keys")
        block = seen.block
        self.keys[self.counts["keys"]] = KeyChange(
            seen.name,
            account=account,
            block=block.number,
            time=block.time,
            transaction=seen.transaction,
            **(nothing | more),
        )

    def _batch(self, seen: EventSeen, *_closed: Any) -> None:
        self._count("batches")

    def _order_refused(self, seen: EventSeen, _merchant: int, _nonce: int, _digest: bytes, reason: int) -> None:
        self._count("orders.refused", f"orders.refused.{_reason(reason)}")

    def _refused(self, seen: EventSeen, _merchant: int, _nonce: int, _item: int, reason: int) -> None:
        self._count("instructions.refused", f"instructions.refused.{_reason(reason)}")

    def on_succession(self, state: NetworkState, block: BlockSeen) -> None:
        """Takes over who takes part, and where everybody stands. What had been moved before is the predecessor's."""
        for number, known in state.merchants.stored():
            name = text_of(state.names[number])
            merchant = MerchantSeen(number, name, int(known.status), known.credit_limit, known.position)
            self._note_position(merchant, block.day)
        for number, program in state.programs.stored():
            names = text_of(program.code), text_of(program.name)
            self.programs[number] = ProgramSeen(number, program.merchant, *names, program.paused)
        for number, agreement in state.agreements.stored():
            terms = astuple(agreement.terms)
            self.agreements[number] = (terms, terms[9], 0)

    # ---------------------------------------------------------------- what was added up

    def days(self) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Program, day and its movements, in order."""
        for (program, day), sums in sorted(self.daily.stored()):
            yield program, day, sums


_EVENTS: dict[str, Callable[..., None]] = {
    "MerchantRegistered": Figures._merchant_registered,
    "MerchantStatusChanged": Figures._merchant_status,
    "CreditLimitChanged": Figures._credit_limit,
    "Deposited": Figures._bank,
    "Withdrawn": Figures._bank,
    "ProgramRegistered": Figures._program_registered,
    "ProgramPauseChanged": Figures._program_paused,
    "AgreementRegistered": Figures._agreement,
    "AgreementEnds": Figures._agreement_ends,
    "SignerChanged": Figures._signer,
    "RoleChanged": Figures._role,
    "OwnershipTransferred": Figures._owner,
    "BatchClosed": Figures._batch,
    "OrderRejected": Figures._order_refused,
    "InstructionRejected": Figures._refused,
}


def text_of(raw: bytes) -> str:
    """The text of a word of the chain; its hex where it is none, because anyone may have written anything there."""
    try:
        text = raw.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return hex_of(raw)
    return text if text.isprintable() else hex_of(raw)


def _reason(reason: int) -> str:
    return Reason(reason).code if reason in set(Reason) else f"reason_{int(reason)}"


def _of(record: type[Any]) -> Callable[[tuple[Any, ...]], Any]:
    """Makes a record of the tuple that was stored."""
    return lambda stored: record(*stored)
