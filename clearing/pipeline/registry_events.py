"""The rare events (registrations, agreements, limits, money): how each one changes the read model, and how it is reverted.

A handler has `apply`, which changes rows and returns what it replaced, and `revert`, which puts that back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from clearing.chain.contract import ContractEvent
from clearing.kit.ids import new_id
from clearing.ledger.settlement.events import record_bank_movement
from clearing.ledger.settlement.models import BankMovement, BankMovementState
from clearing.ledger.settlement.repository import BankMovementRepository, PositionRepository
from clearing.parties.agreements.events import record_agreement
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.repository import AgreementRepository
from clearing.parties.agreements.termination import pending_end
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.names import Names
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.programs.repository import ProgramRepository
from tongdui.encoding import bytes_of, word_text
from tongdui.orders import AgreementTerms

Arguments = dict[str, Any]
_CHAIN_STATUS = (None, MerchantStatus.ACTIVE, MerchantStatus.SUSPENDED, MerchantStatus.CLOSED)


@dataclass(frozen=True, slots=True)
class Handler:
    """How to apply one kind of event and how to revert it."""

    apply: Callable[[Session, Arguments], Arguments]
    revert: Callable[[Session, Arguments, Arguments], None]


def apply_event(session: Session, event: ContractEvent) -> Arguments:
    """Applies an event and returns what it replaced. Events that change nothing here (roles, ownership) are only stored."""
    handler = _HANDLERS.get(event.name)
    return handler.apply(session, event.arguments) if handler else {}


def revert_event(session: Session, name: str, arguments: Arguments, undo: Arguments) -> None:
    """Puts back what an event replaced."""
    handler = _HANDLERS.get(name)
    if handler:
        handler.revert(session, arguments, undo)


# -------------------------------------------------------------------- merchants


def _merchant_registered(session: Session, arguments: Arguments) -> Arguments:
    number = arguments["merchant"]
    merchants = MerchantRepository(session)
    merchant = merchants.by_number(number) or Merchant(
        number=number, id=new_id("mer"), name=word_text(bytes_of(arguments["name"]))
    )
    merchant.status = MerchantStatus.ACTIVE
    merchants.store(merchant)
    PositionRepository(session).lock(number).credit_limit = arguments["creditLimitMicros"]
    session.flush()
    return {}


def _merchant_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    MerchantRepository(session).get_one(arguments["merchant"]).status = MerchantStatus.PENDING
    PositionRepository(session).lock(arguments["merchant"]).credit_limit = 0


def _status_changed(session: Session, arguments: Arguments) -> Arguments:
    merchant = MerchantRepository(session).get_one(arguments["merchant"])
    before = merchant.status
    status = _CHAIN_STATUS[arguments["status"]]
    if status is not None:
        merchant.status = status
    return {"status": before}


def _status_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    MerchantRepository(session).get_one(arguments["merchant"]).status = MerchantStatus(undo["status"])


def _signer_changed(session: Session, arguments: Arguments) -> Arguments:
    address = arguments["key"].lower()
    merchants = MerchantRepository(session)
    known = merchants.key(address)
    undo = {"valid_from": known.valid_from, "valid_until": known.valid_until} if known else {}
    key = known or SignerKey(address=address, merchant_number=arguments["merchant"])
    key.valid_from = arguments["validFrom"]
    key.valid_until = arguments["validUntil"]
    merchants.store_key(key)
    return undo


def _signer_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    merchants = MerchantRepository(session)
    key = merchants.get_key(arguments["key"].lower())
    if undo:
        key.valid_from, key.valid_until = undo["valid_from"], undo["valid_until"]
    else:
        merchants.remove_key(key)


# -------------------------------------------------------------------- programs


def _program_registered(session: Session, arguments: Arguments) -> Arguments:
    number = arguments["program"]
    programs = ProgramRepository(session)
    program = programs.by_number(number) or Program(
        number=number,
        id=new_id("prg"),
        merchant_number=arguments["merchant"],
        code=word_text(bytes_of(arguments["code"])),
        name=word_text(bytes_of(arguments["name"])),
    )
    program.status = ProgramStatus.ACTIVE
    programs.add(program)
    return {}


def _program_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    ProgramRepository(session).get_one(arguments["program"]).status = ProgramStatus.PENDING


def _pause_changed(session: Session, arguments: Arguments) -> Arguments:
    program = ProgramRepository(session).get_one(arguments["program"])
    before = program.status
    program.status = ProgramStatus.PAUSED if arguments["paused"] else ProgramStatus.ACTIVE
    return {"status": before}


def _pause_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    ProgramRepository(session).get_one(arguments["program"]).status = ProgramStatus(undo["status"])


# -------------------------------------------------------------------- agreements


def _agreement_registered(session: Session, arguments: Arguments) -> Arguments:
    digest = bytes_of(arguments["digest"])
    agreements = AgreementRepository(session)
    agreement = agreements.by_digest(digest) or _agreement_from_chain(arguments, digest)
    agreement.number = arguments["agreement"]
    agreement.state, agreement.reason = AgreementState.ACTIVE, None
    agreements.add(agreement)
    record_agreement(session, Names(session), "active", agreement, "projector")
    return {}


def _agreement_from_chain(arguments: Arguments, digest: bytes) -> Agreement:
    """An agreement that was registered past this gateway."""
    values = dict(zip(AgreementTerms.__dataclass_fields__, arguments["terms"].values(), strict=True))
    values["document"] = bytes_of(values["document"])
    return Agreement(id=new_id("agr"), digest=digest, ends_at=values["valid_until"], **values)


def _agreement_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    AgreementRepository(session).get_one(arguments["agreement"]).state = AgreementState.ACCEPTED


_END = ("state", "ends_at", "superseded_by", "terminates_at", "reason")
"""What the end of an agreement changes."""


def _agreement_ends(session: Session, arguments: Arguments) -> Arguments:
    agreement = AgreementRepository(session).get_one(arguments["agreement"])
    undo = {name: getattr(agreement, name) for name in _END}
    agreement.ends_at = arguments["validUntil"]
    agreement.state = AgreementState.SUPERSEDED if arguments["by"] else AgreementState.TERMINATED
    agreement.superseded_by = arguments["by"] or agreement.superseded_by
    agreement.terminates_at = pending_end(session, agreement.id)
    agreement.reason = None
    session.flush()
    record_agreement(session, Names(session), agreement.state, agreement, "projector")
    return undo


def _agreement_end_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    agreement = AgreementRepository(session).get_one(arguments["agreement"])
    agreement.state = AgreementState(undo["state"])
    for name in _END[1:]:
        setattr(agreement, name, undo[name])


# -------------------------------------------------------------------- settlement


def _limit_changed(session: Session, arguments: Arguments) -> Arguments:
    position = PositionRepository(session).lock(arguments["merchant"])
    before = position.credit_limit
    position.credit_limit = arguments["creditLimitMicros"]
    return {"credit_limit": before}


def _limit_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    PositionRepository(session).lock(arguments["merchant"]).credit_limit = undo["credit_limit"]


def _deposited(session: Session, arguments: Arguments) -> Arguments:
    return _book(session, arguments, "deposit", arguments["micros"], BankMovementState.POSTED)


def _withdrawn(session: Session, arguments: Arguments) -> Arguments:
    return _book(session, arguments, "withdrawal", -arguments["micros"], BankMovementState.POSTED)


def _deposit_reverted(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    _book(session, arguments, "deposit", -arguments["micros"], BankMovementState.PENDING)


def _withdrawal_reverted(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    _book(session, arguments, "withdrawal", arguments["micros"], BankMovementState.PENDING)


def _book(session: Session, arguments: Arguments, kind: str, micros: int, state: BankMovementState) -> Arguments:
    position = PositionRepository(session).lock(arguments["merchant"])
    position.position += micros
    movement = BankMovementRepository(session).lock_by_bank_ref(bytes_of(arguments["bankRef"]))
    if movement is None or not _is_about(movement, kind, arguments):
        return {}
    position.reserved += _reserves(movement, state) - _reserves(movement, movement.state)
    if state is BankMovementState.POSTED and movement.state is not state:
        record_bank_movement(session, movement, "posted", "projector")
    movement.state = state
    return {}


def _is_about(movement: BankMovement, kind: str, arguments: Arguments) -> bool:
    """Whether the chain booked this movement: somebody may use its reference past this gateway for another one."""
    asked_for = (movement.kind, movement.merchant_number, movement.micros)
    return asked_for == (kind, arguments["merchant"], arguments["micros"])


def _reserves(movement: BankMovement, state: BankMovementState) -> int:
    """Micros that a movement in this state reserves."""
    return movement.micros if movement.kind == "withdrawal" and state is BankMovementState.PENDING else 0


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
