"""Rules of settlement: credit limits, and what comes in and goes out at the settlement bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clearing.chain.calls.service import request_call
from clearing.kit.errors import ClearingError, Conflict, NotFound, Refused
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.ids import new_id
from clearing.kit.locks import lock_until_commit
from clearing.kit.viewer import Viewer
from clearing.ledger.settlement.events import record_bank_movement
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.ledger.settlement.repository import BankFilter, BankMovementRepository, PositionRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import check_micros, require_merchant
from tongdui.encoding import hex_of, keccak256

BankKind = Literal["deposit", "withdrawal"]
_PREFIX = {"deposit": "dep", "withdrawal": "wdr"}
_FUNCTION = {"deposit": "deposit", "withdrawal": "withdraw"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BankSearch:
    """Which deposits or withdrawals somebody asks for. What is None or empty does not matter."""

    kind: BankKind
    merchant: str | None = None
    state: BankMovementState | None = None
    bank_references: Sequence[str] = ()
    """Whatever was booked under one of these references of the bank."""
    created_from: datetime | None = None
    created_before: datetime | None = None


class SettlementService:
    """Positions and bank movements in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._movements = BankMovementRepository(session)
        self._positions = PositionRepository(session)

    def deposit(self, *, merchant_id: str, micros: int, bank_reference: str, actor: str) -> BankMovement:
        """Books money that arrived at the bank."""
        return self._book(
            "deposit", require_merchant(self._session, merchant_id, "/merchant"), micros, bank_reference, actor
        )

    def withdraw(self, *, merchant_id: str, micros: int, bank_reference: str, actor: str) -> BankMovement:
        """Books money that leaves the bank. Nobody can withdraw credit, what pending orders and withdrawals will take, or more than
        the bank holds."""
        merchant = require_merchant(self._session, merchant_id, "/merchant")
        lock_until_commit(self._session, "withdrawals")  # or two withdrawals at once would count the same money
        position = self._positions.lock(merchant.number)
        free = max(position.position - position.reserved, 0)
        if micros > free:
            raise Refused.at(
                "/micros",
                f"{free} micros can be withdrawn: credit, pending orders and pending withdrawals do not count",
                code="insufficient_position",
            )
        funds = max(self._movements.free_funds(), 0)
        if micros > funds:
            raise Refused.at(
                "/micros",
                f"{funds} micros are in the bank and free: the rest of what is owed to the merchant was not paid in yet",
                code="insufficient_funds",
            )
        movement = self._book("withdrawal", merchant, micros, bank_reference, actor)
        position.reserved += micros
        return movement

    def set_credit_limit(self, *, merchant_id: str, micros: int, actor: str) -> Merchant:
        """Asks the chain for another credit limit; it may not be below what the merchant has used."""
        check_micros(micros, "/credit_limit_micros", least=0)
        merchant = require_merchant(self._session, merchant_id)
        position = self._positions.lock(merchant.number)
        used = position.reserved - position.position
        if micros < used:
            raise Refused.at(
                "/credit_limit_micros",
                f"{used} micros of credit are in use; the limit cannot be lower",
                code="credit_limit_in_use",
            )
        request_call(self._session, "operator", "setCreditLimit", [merchant.number, micros], merchant.id)
        EventRecorder(self._session).record(
            "merchant.credit_limit_requested",
            merchant.id,
            actor=actor,
            merchants=[merchant.number],
            data={"from_micros": position.credit_limit, "to_micros": micros},
        )
        return merchant

    # ---------------------------------------------------------------- what a viewer may see

    def positions(self, viewer: Viewer, *, after: int | None, limit: int) -> Sequence[Position]:
        """The positions that the viewer may see, by merchant number."""
        return self._positions.list(merchant_number=viewer.merchant_number, after=after, limit=limit)

    def position(self, viewer: Viewer, merchant_id: str) -> Position:
        """A merchant's position, or NotFound where the viewer is another merchant."""
        merchant = MerchantRepository(self._session).by_id(merchant_id)
        if merchant is None or not viewer.sees(merchant.number):
            raise NotFound(f"there is no position of {merchant_id}")
        return self._positions.get(merchant.number)

    def bank_movements(
        self, viewer: Viewer, search: BankSearch, *, after: str | None, limit: int
    ) -> Sequence[BankMovement]:
        """The deposits or withdrawals of a search that the viewer may see, newest first."""
        number = viewer.merchant_number
        if search.merchant is not None:
            asked = require_merchant(self._session, search.merchant).number
            if number not in (None, asked):
                return []
            number = asked
        wanted = BankFilter(
            kind=search.kind,
            merchant_number=number,
            state=search.state,
            bank_refs=[keccak256(one.encode()) for one in search.bank_references] or None,
            created_from=search.created_from,
            created_before=search.created_before,
        )
        return self._movements.list(wanted, after=after, limit=limit)

    def bank_movement(self, viewer: Viewer, kind: BankKind, movement_id: str) -> BankMovement:
        """The deposit or withdrawal with this id, or NotFound where it is another merchant's."""
        movement = self._movements.by_id(movement_id)
        if movement is None or movement.kind != kind or not viewer.sees(movement.merchant_number):
            raise NotFound(f"there is no {kind} {movement_id}")
        return movement

    # ---------------------------------------------------------------- booking

    def _book(self, kind: BankKind, merchant: Merchant, micros: int, bank_reference: str, actor: str) -> BankMovement:
        check_micros(micros, "/micros", least=1)
        movement = self._movement(kind, merchant, micros, bank_reference)
        arguments = [merchant.number, micros, hex_of(movement.bank_ref)]
        request_call(self._session, "treasury", _FUNCTION[kind], arguments, movement.id)
        record_bank_movement(self._session, movement, "requested", actor)
        return movement

    def _movement(self, kind: BankKind, merchant: Merchant, micros: int, bank_reference: str) -> BankMovement:
        """The movement to book under this reference: a new one, or one that failed and is requested again."""
        bank_ref = keccak256(bank_reference.encode())
        before = self._movements.lock_by_bank_ref(bank_ref)
        if before is not None:
            if before.state is not BankMovementState.FAILED:
                raise _used()
            if (before.kind, before.merchant_number, before.micros) == (kind, merchant.number, micros):
                before.state = BankMovementState.PENDING
                return before
            self._give_up_reference(before)
        movement = BankMovement(
            id=new_id(_PREFIX[kind]),
            kind=kind,
            merchant_number=merchant.number,
            micros=micros,
            bank_reference=bank_reference,
            bank_ref=bank_ref,
        )
        try:
            self._movements.add(movement)
        except IntegrityError as error:
            raise _used() from error  # another request stored it since we looked
        return movement

    def _give_up_reference(self, failed: BankMovement) -> None:
        """Keeps the failed movement on record and frees its reference for another one: the chain never used it."""
        failed.bank_ref = keccak256(b"\0" + failed.id.encode())  # no reference has control characters
        self._session.flush()


def require_liquidity(position: Position, micros: int, viewer: int) -> None:
    """Refuses what the paying merchant's position, credit included, does not cover.

    Only the paying merchant itself (`viewer` is who asks) is told what it has.
    """
    if micros <= position.liquidity:
        return
    if position.merchant_number == viewer:
        needs = f"you need {micros} micros of liquidity and have {max(position.liquidity, 0)}"
    else:
        needs = f"the paying merchant has less than the {micros} micros of liquidity that it needs"
    detail = f"{needs}: a deposit or a higher credit limit mends it"
    raise Refused(detail, code="insufficient_liquidity")


def _used() -> ClearingError:
    return Conflict.at("/bank_reference", "this bank reference was booked before", code="bank_reference_used")
