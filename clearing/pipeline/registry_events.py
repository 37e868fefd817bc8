"""The rare events (registrations, agreements, limits, money): each one is applied to the read model and can be taken back.

A handler has `apply`, which changes the rows and returns what it replaced, and `revert`, which puts that back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.chain.contract import ContractEvent
from clearing.kit.ids import new_id
from clearing.ledger.settlement.events import tell
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.ledger.settlement.repository import BankMovementRepository
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.programs.models import Program, ProgramStatus
from tongdui.encoding import bytes_of, word_text
from tongdui.orders import AgreementTerms

Arguments = dict[str, Any]
_CHAIN_STATUS = (None, MerchantStatus.ACTIVE, MerchantStatus.SUSPENDED, MerchantStatus.CLOSED)


@dataclass(frozen=True, slots=True)
class Handler:
    """How to apply one kind of event and how to take it back."""

    apply: Callable[[Session, Arguments], Arguments]
    revert: Callable[[Session, Arguments, Arguments], None]


def apply_event(session: Session, event: ContractEvent) -> Arguments:
    """Applies an event; what it replaced. Events that change nothing here (roles, ownership) are only recorded."""
    handler = _HANDLERS.get(event.name)
    return handler.apply(session, event.arguments) if handler else {}


def revert_event(session: Session, name: str, arguments: Arguments, undo: Arguments) -> None:
    """Takes an event back."""
    handler = _HANDLERS.get(name)
    if handler:
        handler.revert(session, arguments, undo)


# -------------------------------------------------------------------- merchants


def _merchant_registered(session: Session, arguments: Arguments) -> Arguments:
    number = arguments["merchant"]
    merchant = session.get(Merchant, number)
    if merchant is None:
        merchant = Merchant(number=number, id=new_id("mer"), name=word_text(bytes_of(arguments["name"])))
        session.add(merchant)
    merchant.status = MerchantStatus.ACTIVE
    _position(session, number).credit_limit = arguments["creditLimitMicros"]
    session.flush()
    return {}


def _merchant_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    session.get_one(Merchant, arguments["merchant"]).status = MerchantStatus.PENDING
    _position(session, arguments["merchant"]).credit_limit = 0


def _status_changed(session: Session, arguments: Arguments) -> Arguments:
    merchant = session.get_one(Merchant, arguments["merchant"])
    before = merchant.status
    status = _CHAIN_STATUS[arguments["status"]]
    if status is not None:
        merchant.status = status
    return {"status": before}


def _status_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    session.get_one(Merchant, arguments["merchant"]).status = MerchantStatus(undo["status"])


def _signer_changed(session: Session, arguments: Arguments) -> Arguments:
    address = arguments["key"].lower()
    key = session.get(SignerKey, address)
    undo: Arguments = {}
    if key is None:
        key = SignerKey(address=address, merchant_number=arguments["merchant"])
        session.add(key)
    else:
        undo = {"valid_from": key.valid_from, "valid_until": key.valid_until}
    key.valid_from = arguments["validFrom"]
    key.valid_until = arguments["validUntil"]
    session.flush()
    return undo


def _signer_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    key = session.get_one(SignerKey, arguments["key"].lower())
    if undo:
        key.valid_from, key.valid_until = undo["valid_from"], undo["valid_until"]
    else:
        session.delete(key)


# -------------------------------------------------------------------- programs


def _program_registered(session: Session, arguments: Arguments) -> Arguments:
    number = arguments["program"]
    program = session.get(Program, number)
    if program is None:
        program = Program(
            number=number,
            id=new_id("prg"),
            merchant_number=arguments["merchant"],
            code=word_text(bytes_of(arguments["code"])),
            name=word_text(bytes_of(arguments["name"])),
        )
        session.add(program)
    program.status = ProgramStatus.ACTIVE
    session.flush()
    return {}


def _program_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    session.get_one(Program, arguments["program"]).status = ProgramStatus.PENDING


def _pause_changed(session: Session, arguments: Arguments) -> Arguments:
    program = session.get_one(Program, arguments["program"])
    before = program.status
    program.status = ProgramStatus.PAUSED if arguments["paused"] else ProgramStatus.ACTIVE
    return {"status": before}


def _pause_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    session.get_one(Program, arguments["program"]).status = ProgramStatus(undo["status"])


# -------------------------------------------------------------------- agreements


def _agreement_registered(session: Session, arguments: Arguments) -> Arguments:
    digest = bytes_of(arguments["digest"])
    agreement = session.scalar(select(Agreement).where(Agreement.digest == digest))
    if agreement is None:
        agreement = _agreement_of(arguments["terms"], digest)
        session.add(agreement)
    agreement.number = arguments["agreement"]
    agreement.state = AgreementState.ACTIVE
    session.flush()
    return {}


def _agreement_of(terms: Arguments, digest: bytes) -> Agreement:
    """An agreement that was registered past this gateway."""
    names = AgreementTerms.__dataclass_fields__
    values = dict(zip(names, terms.values(), strict=True))
    values["document"] = bytes_of(values["document"])
    return Agreement(id=new_id("agr"), digest=digest, ends_at=values["valid_until"], **values)


def _agreement_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    _agreement(session, arguments["agreement"]).state = AgreementState.ACCEPTED


def _agreement_ends(session: Session, arguments: Arguments) -> Arguments:
    agreement = _agreement(session, arguments["agreement"])
    undo = {"state": agreement.state, "ends_at": agreement.ends_at}
    agreement.ends_at = arguments["validUntil"]
    agreement.state = AgreementState.SUPERSEDED if arguments["by"] else AgreementState.TERMINATED
    return undo


def _agreement_end_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    agreement = _agreement(session, arguments["agreement"])
    agreement.state, agreement.ends_at = AgreementState(undo["state"]), undo["ends_at"]


def _agreement(session: Session, number: int) -> Agreement:
    return session.scalars(select(Agreement).where(Agreement.number == number)).one()


# -------------------------------------------------------------------- settlement


def _limit_changed(session: Session, arguments: Arguments) -> Arguments:
    position = _position(session, arguments["merchant"])
    before = position.credit_limit
    position.credit_limit = arguments["creditLimitMicros"]
    return {"credit_limit": before}


def _limit_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    _position(session, arguments["merchant"]).credit_limit = undo["credit_limit"]


def _deposited(session: Session, arguments: Arguments) -> Arguments:
    return _money(session, arguments, "deposit", arguments["micros"], BankMovementState.POSTED)


def _withdrawn(session: Session, arguments: Arguments) -> Arguments:
    return _money(session, arguments, "withdrawal", -arguments["micros"], BankMovementState.POSTED)


def _deposit_reverted(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    _money(session, arguments, "deposit", -arguments["micros"], BankMovementState.PENDING)


def _withdrawal_reverted(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    _money(session, arguments, "withdrawal", arguments["micros"], BankMovementState.PENDING)


def _money(session: Session, arguments: Arguments, kind: str, micros: int, state: BankMovementState) -> Arguments:
    position = _position(session, arguments["merchant"])
    position.position += micros
    movement = BankMovementRepository(session).lock_by_bank_ref(bytes_of(arguments["bankRef"]))
    if movement is None or not _is_about(movement, kind, arguments):
        return {}
    position.reserved += _reserves(movement, state) - _reserves(movement, movement.state)
    if state is BankMovementState.POSTED and movement.state is not state:
        tell(session, movement, "posted", "projector")
    movement.state = state
    return {}


def _is_about(movement: BankMovement, kind: str, arguments: Arguments) -> bool:
    """Whether it is this movement that the chain booked: who books past this gateway may use its reference for another."""
    asked_for = (movement.kind, movement.merchant_number, movement.micros)
    return asked_for == (kind, arguments["merchant"], arguments["micros"])


def _reserves(movement: BankMovement, state: BankMovementState) -> int:
    """What a movement in this state sets aside."""
    return movement.micros if movement.kind == "withdrawal" and state is BankMovementState.PENDING else 0


def _position(session: Session, merchant: int) -> Position:
    position = session.get(Position, merchant, with_for_update=True, populate_existing=True)
    if position is None:
        position = Position(merchant_number=merchant, position=0, credit_limit=0, reserved=0)
        session.add(position)
        session.flush()
    return position


_HANDLERS = {
    "MerchantRegistered": Handler(_merchant_registered, _merchant_unregistered),
    "MerchantStatusChanged": Handler(_status_changed, _status_reverted),
    "SignerChanged": Handler(_signer_changed, _signer_reverted),
    "ProgramRegistered": Handler(_program_registered, _program_unregistered),
    "ProgramPauseChanged": Handler(_pause_changed, _pause_reverted),
    "AgreementRegistered": Handler(_agreement_registered, _agreement_unregistered),
    "AgreementEnds": Handler(_agreement_ends, _agreement_end_reverted),
    "CreditLimitChanged": Handler(_limit_changed, _limit_reverted),
    "Deposited": Handler(_deposited, _deposit_reverted),
    "Withdrawn": Handler(_withdrawn, _withdrawal_reverted),
}
