"""Positions and bank movements as the API shows them."""

from __future__ import annotations

from clearing.ledger.settlement.models import BankMovement, Position
from clearing.ledger.settlement.service import BankKind, SettlementService
from clearing.oversight.closings.service import ClosingDay
from gateway.api.closings import closing_of
from gateway.api.settlement.schemas import BankMovementView, ClosingPositionView, PositionView
from gateway.http.context import Call, ChainResource, Shown


def position_view(call: Call, position: Position) -> PositionView:
    """A merchant's position."""
    return PositionView(
        merchant=call.names.merchant(position.merchant_number),
        position_micros=position.position,
        credit_limit_micros=position.credit_limit,
        reserved_micros=position.reserved,
        liquidity_micros=position.liquidity,
    )


def closing_position_view(call: Call, closing: ClosingDay, merchant: int, micros: int) -> ClosingPositionView:
    """A merchant's position at the end of a day."""
    return ClosingPositionView(
        **closing_of(call, closing), merchant=call.names.merchant(merchant), position_micros=micros
    )


def bank_movement_view(call: Call, movement: BankMovement) -> BankMovementView:
    """A deposit or a withdrawal."""
    return BankMovementView(
        id=movement.id,
        object="deposit" if movement.kind == "deposit" else "withdrawal",
        merchant=call.names.merchant(movement.merchant_number),
        micros=movement.micros,
        bank_reference=movement.bank_reference,
        state=movement.state,
        created_at=movement.created_at,
    )


def _resource(prefix: str, collection: str, kind: BankKind) -> ChainResource[BankMovementView]:
    def show(call: Call, movement_id: str) -> Shown[BankMovementView]:
        movement = SettlementService(call.session).bank_movement(call.viewer, kind, movement_id)
        return Shown(bank_movement_view(call, movement), is_open=call.is_unfinished(movement_id))

    return ChainResource(prefix, collection, show)


DEPOSITS = _resource("dep", "deposits", "deposit")
WITHDRAWALS = _resource("wdr", "withdrawals", "withdrawal")
