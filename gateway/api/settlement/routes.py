"""Positions, and money at the settlement bank."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from clearing.kit.fields import MerchantId, Moment
from clearing.ledger.settlement.models import BankMovementState
from clearing.ledger.settlement.service import BankKind, BankSearch, SettlementService
from clearing.oversight.approvals.changes import Deposit, Withdrawal
from clearing.oversight.closings.service import ClosingDay, ClosingService
from gateway.api.approvals.schemas import ApprovalView
from gateway.api.approvals.view import requested
from gateway.api.closings import AsOf
from gateway.api.settlement.schemas import (
    BankMovementCreate,
    BankMovementView,
    BankReference,
    ClosingPositionView,
    PositionView,
)
from gateway.api.settlement.view import (
    DEPOSITS,
    WITHDRAWALS,
    bank_movement_view,
    closing_position_view,
    position_view,
)
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Mutating, Reading
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, id_after, page_of, pair, pair_cursor
from gateway.http.schemas import Page


@dataclass(frozen=True, slots=True)
class BankMovementQuery:
    """Which deposits or withdrawals, and which page of them."""

    merchant: Annotated[MerchantId | None, Query(description="only this merchant's")] = None
    state: Annotated[BankMovementState | None, Query()] = None
    bank_reference: Annotated[
        tuple[BankReference, ...],
        Query(
            alias="bank_reference[]",
            max_length=100,
            description="what was booked under these references of the bank; up to 100 of them",
        ),
    ] = ()
    created_from: Annotated[
        Moment | None, Query(alias="created[gte]", description="RFC 3339: booked at this moment or later")
    ] = None
    created_before: Annotated[
        Moment | None, Query(alias="created[lt]", description="RFC 3339: booked before this moment")
    ] = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


Wanted = Annotated[BankMovementQuery, Depends()]

router = APIRouter(route_class=Endpoint, tags=["settlement"])


@router.get("/v1/positions")
def list_positions(
    call: Reading, as_of: AsOf = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[PositionView | ClosingPositionView]:
    """Your position; for the operator, treasury and auditors, everyone's: now, or as it was at the end of a day."""
    place = pair(cursor)
    after = place[0] if place else None
    if as_of is not None:
        service, day = _closing(call, as_of)
        found = service.positions(call.viewer, day, after=after, limit=limit + 1)
        return page_of(
            found, limit, lambda row: closing_position_view(call, day, *row), lambda row: pair_cursor(row[0], 0)
        )
    rows = SettlementService(call.session).positions(call.viewer, after=after, limit=limit + 1)
    return page_of(rows, limit, partial(position_view, call), lambda row: pair_cursor(row.merchant_number, 0))


@router.get("/v1/positions/{merchant}")
def get_position(merchant: str, call: Reading, as_of: AsOf = None) -> PositionView | ClosingPositionView:
    """One merchant's position: now, or as it was at the end of a day."""
    if as_of is not None:
        service, day = _closing(call, as_of)
        return closing_position_view(call, day, *service.position(call.viewer, day, merchant))
    return position_view(call, SettlementService(call.session).position(call.viewer, merchant))


@router.post("/v1/deposits", status_code=202)
def create_deposit(body: BankMovementCreate, call: Mutating) -> ApprovalView:
    """Asks to book money that arrived at the bank. Once another person has approved it, the deposit (`result`) is `pending` until
    the chain confirms it."""
    change = Deposit(merchant=body.merchant, micros=body.micros, bank_reference=body.bank_reference)
    return requested(call, change, body.reason)


@router.get("/v1/deposits")
def list_deposits(call: Reading, wanted: Wanted) -> Page[BankMovementView]:
    """Deposits, newest first."""
    return _bank_movements(call, "deposit", wanted)


@router.get("/v1/deposits/{movement}")
def get_deposit(movement: str, call: Reading) -> BankMovementView:
    """One deposit."""
    return _bank_movement(call, "deposit", movement)


@router.post("/v1/withdrawals", status_code=202)
def create_withdrawal(body: BankMovementCreate, call: Mutating) -> ApprovalView:
    """Asks to book money that is paid out: pay it once another person has approved it. Neither credit nor more than the bank holds
    can be withdrawn."""
    change = Withdrawal(merchant=body.merchant, micros=body.micros, bank_reference=body.bank_reference)
    return requested(call, change, body.reason)


@router.get("/v1/withdrawals")
def list_withdrawals(call: Reading, wanted: Wanted) -> Page[BankMovementView]:
    """Withdrawals, newest first."""
    return _bank_movements(call, "withdrawal", wanted)


@router.get("/v1/withdrawals/{movement}")
def get_withdrawal(movement: str, call: Reading) -> BankMovementView:
    """One withdrawal."""
    return _bank_movement(call, "withdrawal", movement)


def _closing(call: Call, as_of: date) -> tuple[ClosingService, ClosingDay]:
    service = ClosingService(call.session, network=call.gateway.network)
    return service, service.day(as_of)


def _bank_movements(call: Call, kind: BankKind, wanted: BankMovementQuery) -> Page[BankMovementView]:
    after = id_after(wanted.cursor, DEPOSITS.prefix if kind == "deposit" else WITHDRAWALS.prefix)
    search = BankSearch(
        kind=kind,
        merchant=wanted.merchant,
        state=wanted.state,
        bank_references=wanted.bank_reference,
        created_from=wanted.created_from,
        created_before=wanted.created_before,
    )
    rows = SettlementService(call.session).bank_movements(call.viewer, search, after=after, limit=wanted.limit + 1)
    return page_of(rows, wanted.limit, partial(bank_movement_view, call), lambda movement: movement.id)


def _bank_movement(call: Call, kind: BankKind, movement_id: str) -> BankMovementView:
    movement = SettlementService(call.session).bank_movement(call.viewer, kind, movement_id)
    return bank_movement_view(call, movement)
