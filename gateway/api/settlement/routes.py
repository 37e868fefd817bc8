"""Positions, and money at the settlement bank."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from clearing.kit.errors import NotFound
from clearing.ledger.settlement.repository import BankMovementRepository, PositionRepository
from clearing.ledger.settlement.service import BankKind, SettlementService
from clearing.parties.merchants.repository import MerchantRepository
from gateway.api.settlement.schemas import BankMovementCreate, BankMovementView, PositionView
from gateway.api.views import Views
from gateway.http.context import Call
from gateway.http.endpoint import Endpoint, Reading, Waitable
from gateway.http.pagination import DEFAULT_LIMIT, Cursor, Limit, page_of, pair, pair_cursor
from gateway.http.results import Started
from gateway.http.schemas import Page, View

router = APIRouter(route_class=Endpoint, tags=["settlement"])


@router.get("/v1/positions", response_model=Page[PositionView])
def list_positions(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Your position; for the operator, treasury and auditors, everyone's."""
    after = pair(cursor)
    rows = PositionRepository(call.session).list(
        merchant_number=call.only_merchant, after=after[0] if after else None, limit=limit + 1
    )
    views = Views(call.session, call.gateway.network)
    return page_of(rows, limit, views.position, lambda position: pair_cursor(position.merchant_number, 0))


@router.get("/v1/positions/{merchant}", response_model=PositionView)
def get_position(merchant: str, call: Reading) -> View:
    """One merchant's position."""
    found = MerchantRepository(call.session).by_id(merchant)
    if found is None or call.only_merchant not in (None, found.number):
        raise NotFound(f"there is no position of {merchant}")
    position = PositionRepository(call.session).get(found.number)
    return Views(call.session, call.gateway.network).position(position)


@router.post("/v1/deposits", status_code=201, response_model=BankMovementView)
def create_deposit(body: BankMovementCreate, call: Waitable) -> Any:
    """Books money that arrived at the bank. It is `pending` until the chain confirms it; `Prefer: wait=N` waits."""
    movement = SettlementService(call.session).deposit(
        merchant_id=body.merchant, micros=body.micros, bank_reference=body.bank_reference, actor=call.actor
    )
    return Started(movement.id)


@router.get("/v1/deposits", response_model=Page[BankMovementView])
def list_deposits(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Deposits, newest first."""
    return _listed(call, "deposit", limit, cursor)


@router.get("/v1/deposits/{movement}", response_model=BankMovementView)
def get_deposit(movement: str, call: Reading) -> View:
    """One deposit."""
    return _one(call, "deposit", movement)


@router.post("/v1/withdrawals", status_code=201, response_model=BankMovementView)
def create_withdrawal(body: BankMovementCreate, call: Waitable) -> Any:
    """Books money that is paid out. Credit cannot be withdrawn, nor more than there is in the bank."""
    movement = SettlementService(call.session).withdraw(
        merchant_id=body.merchant, micros=body.micros, bank_reference=body.bank_reference, actor=call.actor
    )
    return Started(movement.id)


@router.get("/v1/withdrawals", response_model=Page[BankMovementView])
def list_withdrawals(call: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> View:
    """Withdrawals, newest first."""
    return _listed(call, "withdrawal", limit, cursor)


@router.get("/v1/withdrawals/{movement}", response_model=BankMovementView)
def get_withdrawal(movement: str, call: Reading) -> View:
    """One withdrawal."""
    return _one(call, "withdrawal", movement)


def _listed(call: Call, kind: BankKind, limit: int, cursor: str | None) -> View:
    rows = BankMovementRepository(call.session).list(
        kind=kind, merchant_number=call.only_merchant, after=cursor, limit=limit + 1
    )
    return page_of(rows, limit, Views(call.session, call.gateway.network).bank_movement, lambda row: row.id)


def _one(call: Call, kind: BankKind, movement_id: str) -> View:
    movement = BankMovementRepository(call.session).by_id(movement_id)
    visible = movement is not None and call.only_merchant in (None, movement.merchant_number)
    if movement is None or not visible or movement.kind != kind:
        raise NotFound(f"there is no {kind} {movement_id}")
    return Views(call.session, call.gateway.network).bank_movement(movement)
