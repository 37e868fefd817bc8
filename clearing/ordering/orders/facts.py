"""Movements and orders as people are shown them: whole objects, in JSON, with the names that the API has for numbers.

The API's views are made of these, and so are the events: what a webhook carries is what a GET would have shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.viewer import Viewer
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.models import Instruction, InstructionRow, Movement, Order, OrderRow, OrderState
from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.members.repository import MemberRepository
from clearing.parties.names import Names
from tongdui.encoding import hex_of
from tongdui.orders import Kind
from tongdui.receipts import Entry

_EPOCH = date(1970, 1, 1)


class Outcome(NamedTuple):
    """What became of an instruction, and what the chain posted for it. A tuple, because a block has thousands of them."""

    state: OrderState
    reason: str | None = None
    posted: Posted | None = None
    reversed: int = 0
    """Points of it that reversals have undone or, pending, will undo."""


class Posted(NamedTuple):
    """What people are shown of an entry."""

    leaf: bytes
    batch: int
    place: int
    """In the batch."""
    expiry_day: int
    points: int
    out: int
    settled: int
    fee: int
    tx_hash: bytes
    block_number: int


class EntryOfBlock(NamedTuple):
    """An entry of a block that is just being read. Most of what it says nobody is shown at once."""

    entry: Entry
    leaf: bytes
    tx_hash: bytes
    block_number: int

    @property
    def posted(self) -> Posted:
        """What people are shown of it."""
        entry = self.entry
        return Posted(
            leaf=self.leaf,
            batch=entry.batch,
            place=entry.index,
            expiry_day=entry.expiry_day,
            points=entry.points,
            out=entry.out,
            settled=entry.settled,
            fee=entry.fee,
            tx_hash=self.tx_hash,
            block_number=self.block_number,
        )


class Seen(NamedTuple):
    """A movement and who looks at it."""

    viewer: Viewer
    instruction: Instruction | InstructionRow
    order: Order | OrderRow
    outcome: Outcome


class MovementFacts:
    """The facts of movements and orders in one session. Names are looked up once, members all together."""

    def __init__(self, session: Session, names: Names | None = None) -> None:
        self._members = MemberRepository(session)
        self._orders = OrderRepository(session)
        self._names = names or Names(session)
        self._routes: dict[tuple[int | None, ...], dict[str, Any]] = {}
        self._known: dict[tuple[int, str], str | None] = {}
        """External ids, by viewer's number and member."""

    def of(self, viewer: Viewer, movements: Sequence[Movement]) -> list[dict[str, Any]]:
        """Each of these movements, whole, as the viewer may see it."""
        rows = [Seen(viewer, movement.instruction, movement.order, outcome_of(movement)) for movement in movements]
        metadata = self._metadata(viewer, movements)
        return [
            {**facts, "metadata": metadata.get((movement.instruction.order_seq, movement.instruction.item))}
            for facts, movement in zip(self.of_rows(rows), movements, strict=True)
        ]

    def of_rows(self, rows: Sequence[Seen]) -> list[dict[str, Any]]:
        """The same for many viewers at once, of instructions that were read without a model; for events, which carry no
        metadata."""
        self.look_up((row.viewer.merchant_number, row.instruction.member_id) for row in rows)
        return [
            self.movement(*row, self.external_id(row.viewer.merchant_number, row.instruction.member_id)) for row in rows
        ]

    def of_order(
        self, order: Order | OrderRow, settled: int, tx_hash: bytes | None, movements: list[dict[str, Any]] | None
    ) -> dict[str, Any]:
        """An order of which so many instructions took effect, in this transaction; with its movements, or without."""
        return {
            "id": order.id,
            "state": str(order.state),
            "merchant": self._names.merchant(order.merchant_number),
            "nonce": order.nonce,
            "deadline": order.deadline,
            "atomic": order.atomic,
            "digest": hex_of(order.digest),
            "reason": order.reason,
            "size": order.size,
            "rejected_count": order.size - settled if order.state.is_final else 0,
            "movements": movements,
            "created_at": moment(order.created_at),
            "settled_at": moment(order.settled_at),
            "tx_hash": hex_of(tx_hash) if tx_hash is not None else None,
            "block_number": order.block_number,
        }

    def _metadata(self, viewer: Viewer, movements: Iterable[Movement]) -> Mapping[tuple[int, int], Any]:
        """The metadata of those movements that the viewer has signed itself, by (order's seq, item)."""
        keys = [
            (movement.instruction.order_seq, movement.instruction.item)
            for movement in movements
            if movement.order.has_metadata and movement.order.merchant_number == viewer.merchant_number
        ]
        return {key: json.loads(text) for key, text in self._orders.metadata(keys).items()} if keys else {}

    def look_up(self, wanted: Iterable[tuple[int | None, str | None]]) -> None:
        """Looks up by which external ids viewers know members, of these pairs of a viewer's number and a member."""
        pairs = {(number, member) for number, member in wanted if number is not None and member is not None}
        if missing := pairs - self._known.keys():
            self._known |= dict.fromkeys(missing)
            self._known |= self._members.known_by(missing)

    def external_id(self, number: int | None, member: str | None) -> str | None:
        """By which external id a viewer knows a member; look them up first."""
        return self._known.get((number or 0, member or ""))

    def movement(
        self,
        viewer: Viewer,
        instruction: Instruction | InstructionRow,
        order: Order | OrderRow,
        outcome: Outcome,
        external_id: str | None,
    ) -> dict[str, Any]:
        """The facts of one, without metadata; by this external id the viewer knows its member."""
        posted = outcome.posted
        return {
            **self._route(viewer, instruction),
            "order": order.id,
            "created_at": moment(order.created_at),
            "id": instruction.id,
            "state": outcome.state.value,
            "reason": outcome.reason,
            "member": instruction.member_id,
            "external_id": external_id,
            "recipient": instruction.recipient_id,
            "points": instruction.points,
            "reference": instruction.reference if viewer.sees(instruction.merchant_number) else None,
            "metadata": None,
            "expires_on": _day(posted.expiry_day if posted is not None else instruction.expiry_day),
            "reverses": instruction.original_id,
            "reversed_points": outcome.reversed,
            "reversible_points": _reversible(instruction, outcome),
            "entry": _entry(posted, moment(order.settled_at)) if posted is not None else None,
        }

    def _route(self, viewer: Viewer, instruction: Instruction | InstructionRow) -> dict[str, Any]:
        """What the movements between the same sides have in common."""
        route = (
            viewer.merchant_number,
            instruction.kind,
            instruction.merchant_number,
            instruction.giver,
            instruction.receiver,
            instruction.program,
            instruction.target_program,
            instruction.draws_program,
            instruction.agreement,
        )
        found = self._routes.get(route)
        if found is None:
            names, giver, receiver = self._names, instruction.giver, instruction.receiver
            found = self._routes[route] = {
                "object": kind_of(instruction.kind).noun,
                "direction": _direction(viewer, giver, receiver),
                "merchant": names.merchant(instruction.merchant_number),
                "giver": names.optional_merchant(giver),
                "receiver": names.optional_merchant(receiver),
                "counterparty": names.optional_merchant(_counterparty(viewer, giver, receiver)),
                "program": names.program(instruction.program),
                "source_program": names.program(instruction.draws_program) if instruction.draws_program else None,
                "target_program": names.program(instruction.target_program) if instruction.target_program else None,
                "agreement": names.agreement(instruction.agreement),
            }
        return found


def outcome(order: Order | OrderRow, posted: Posted | None = None, reason: str | None = None) -> Outcome:
    """The outcome of an order's instruction that has this entry, or that was refused for this reason of its own."""
    if posted is not None or not order.state.is_final:
        return Outcome(order.state, None, posted)
    state = OrderState.REJECTED if order.state is OrderState.SETTLED else order.state
    return Outcome(state, reason or order.reason)


def outcome_of(movement: Movement) -> Outcome:
    """The outcome of a movement that was read with its entry and batch."""
    entry, batch = movement.entry, movement.batch
    if entry is None or batch is None:
        return Outcome(movement.state, movement.reason)
    posted = Posted(
        leaf=entry.leaf,
        batch=entry.batch,
        place=entry.index,
        expiry_day=entry.expiry_day,
        points=entry.points,
        out=entry.out,
        settled=entry.settled,
        fee=entry.fee,
        tx_hash=batch.tx_hash,
        block_number=entry.block_number,
    )
    return Outcome(movement.state, movement.reason, posted, movement.reversed)


@lru_cache(maxsize=1_024)
def moment(at: datetime | None) -> str | None:
    """A moment as the API writes it. The movements of an order share theirs."""
    return at.isoformat().replace("+00:00", "Z") if at is not None else None


@lru_cache(maxsize=1_024)
def _day(number: int) -> str | None:
    return (_EPOCH + timedelta(days=number)).isoformat() if number else None


def _entry(posted: Posted, settled_at: str | None) -> dict[str, Any]:
    return {
        "leaf": hex_of(posted.leaf),
        "batch": posted.batch,
        "index": posted.place,
        "points": posted.points,
        "out": posted.out,
        "settled_micros": posted.settled,
        "fee_micros": posted.fee,
        "tx_hash": hex_of(posted.tx_hash),
        "block_number": posted.block_number,
        "settled_at": settled_at,
    }


def _reversible(instruction: Instruction | InstructionRow, outcome: Outcome) -> int:
    """Points of it that a reversal may still undo."""
    if outcome.posted is None or instruction.kind == Kind.REVERSE:
        return 0
    return outcome.posted.points - outcome.reversed


def _direction(viewer: Viewer, giver: int | None, receiver: int | None) -> str | None:
    """`out` if the viewer's points go, `in` if it receives; None if both (points stay in its program) or neither."""
    gives, receives = viewer.merchant_number == giver, viewer.merchant_number == receiver
    if viewer.merchant_number is None or gives == receives:
        return None
    return "out" if gives else "in"


def _counterparty(viewer: Viewer, giver: int | None, receiver: int | None) -> int | None:
    """The other merchant; None where there is none, or where the viewer is no merchant."""
    if viewer.merchant_number is None:
        return None
    return next((side for side in (giver, receiver) if side not in (None, viewer.merchant_number)), None)
