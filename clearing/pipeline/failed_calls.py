"""Privileged calls that the contract refuses for good: the resource that asked fails, and the ones behind it close its gap."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.repository import CallRepository
from clearing.chain.calls.service import request_call
from clearing.kit.wakeups.channels import Channel, notify
from clearing.ledger.settlement.events import record_bank_movement
from clearing.ledger.settlement.models import BankMovement, BankMovementState
from clearing.ledger.settlement.repository import BankMovementRepository, PositionRepository
from clearing.parties.agreements import termination
from clearing.parties.agreements.events import record_agreement
from clearing.parties.agreements.models import AgreementState
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.merchants.models import MerchantStatus
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.names import Names
from tongdui.encoding import hex_of, keccak256, word

log = structlog.get_logger(__name__)

MONEY_FUNCTIONS = ("deposit", "withdraw")
"""Functions of the contract that change a position; its merchant is their first argument."""
CLOSED_ON_CHAIN = 3
"""`MerchantStatus.Closed` of the contract."""


def fail_call_for_good(session: Session, call: Call, error: str) -> None:
    """Marks a call as refused by the contract, and fails the resource that asked for it."""
    call.state = CallState.FAILED
    call.error = error
    notify(session, Channel.DECIDED)
    log.error("call failed", function=call.function, subject=call.subject, error=error)
    match call.function:
        case "registerMerchant":
            _register_closed_placeholder(session, call)
        case "registerAgreement":
            _fail_agreement(session, call, error)
        case termination.FUNCTION:
            _fail_termination(session, call, error)
    movement = BankMovementRepository(session).by_id(call.subject)
    if movement is not None:
        _fail_bank_movement(session, movement, error)


def _fail_bank_movement(session: Session, movement: BankMovement, error: str) -> None:
    positions = PositionRepository(session)
    if movement.kind == "withdrawal":
        positions.lock(movement.merchant_number)
    BankMovementRepository(session).lock(movement)
    if movement.state is not BankMovementState.PENDING:
        return
    movement.state = BankMovementState.FAILED
    record_bank_movement(session, movement, "failed", "sequencer", reason=error)
    if movement.kind == "withdrawal":
        positions.shift({movement.merchant_number: (0, -movement.micros)})


def _register_closed_placeholder(session: Session, call: Call) -> None:
    """Registers a refused merchant after all, with a key that nobody has, and closes it.

    The contract takes merchants in the order of their numbers, so the merchants behind this one need its number to be used.
    """
    number, name, key, _ = call.arguments
    nobodys_key = hex_of(keccak256(b"no merchant" + word(number))[12:])
    merchants = MerchantRepository(session)
    merchant = merchants.by_number(number)
    if key == nobodys_key or merchant is None or merchant.status is not MerchantStatus.PENDING:
        return
    merchants.remove_keys(number)
    call.arguments = [number, name, nobodys_key, 0]
    call.state, call.transaction_id, call.error = CallState.PENDING, None, None
    request_call(session, call.role, "setMerchantStatus", [number, CLOSED_ON_CHAIN], merchant.id)


def _fail_agreement(session: Session, call: Call, error: str) -> None:
    failed = AgreementRepository(session).by_id(call.subject)
    if failed is None or failed.state is not AgreementState.ACCEPTED or failed.number is None:
        return
    gap, failed.number, failed.state, failed.reason = failed.number, None, AgreementState.FAILED, error
    session.flush()
    _renumber_agreements_after(session, gap, call.function)
    record_agreement(session, Names(session), "failed", failed, "sequencer")


def _renumber_agreements_after(session: Session, gap: int, function: str) -> None:
    """Moves the agreements behind a refused one up by one: the contract takes agreements in the order of their numbers."""
    for agreement in AgreementRepository(session).accepted_after(gap):
        agreement.number, gap = gap, agreement.number or 0
        session.flush()
        for registration in CallRepository(session).of_subject(agreement.id, function):
            registration.arguments = [agreement.number, *registration.arguments[1:]]


def _fail_termination(session: Session, call: Call, error: str) -> None:
    """Lets the agreement be used again as before: to its end, or to that of another termination on its way."""
    agreement = AgreementRepository(session).by_id(call.subject)
    if agreement is None:
        return
    agreement.terminates_at, agreement.reason = termination.pending_end(session, agreement.id), error
    session.flush()
    record_agreement(session, Names(session), "termination_failed", agreement, "sequencer")
