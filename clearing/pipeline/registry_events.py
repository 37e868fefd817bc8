"""The rare events (registrations, agreements, limits, money): how each one changes the read model, and how it is reverted.

A handler has `apply`, which changes rows and returns what it replaced, and `revert`, which puts that back. What an event changes in
reference data and what it changes in positions are two steps, because entries come between them
(docs/decisions/0043-one-order-of-locks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from clearing.kit.ids import new_id
from clearing.ledger.activity.repository import ActivityRepository
from clearing.ledger.journal.repository import BlockRepository
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


class RareEvent(Protocol):
    """A rare event, as the contract emitted it or as it was stored."""

    @property
    def name(self) -> str:
        """The event's name in the contract."""
        ...

    @property
    def arguments(self) -> Arguments:
        """The event's arguments by name."""
        ...


E = TypeVar("E")
_CHAIN_STATUS = (None, MerchantStatus.ACTIVE, MerchantStatus.SUSPENDED, MerchantStatus.CLOSED)


@dataclass(frozen=True, slots=True)
class Handler:
    """How to apply one kind of event and how to revert it."""

    apply: Callable[[Session, Arguments], Arguments]
    revert: Callable[[Session, Arguments, Arguments], None]


def apply_event(session: Session, event: RareEvent) -> Arguments:
    """Applies both steps of an event and returns what it replaced. Events that change nothing here (roles, ownership) are only
    stored."""
    return apply_registration(session, event) | apply_to_position(session, event)


def apply_registration(session: Session, event: RareEvent) -> Arguments:
    """What the event changes in reference data."""
    handler = _REGISTRATIONS.get(event.name)
    return handler.apply(session, event.arguments) if handler else {}


def apply_to_position(session: Session, event: RareEvent) -> Arguments:
    """What it changes in a position. Lock the positions of all events first, in one order (`merchants_paid`)."""
    handler = _POSITIONS.get(event.name)
    return handler.apply(session, event.arguments) if handler else {}


def revert_registration(session: Session, event: RareEvent, undo: Arguments) -> None:
    """Puts back what an event replaced in reference data."""
    if (handler := _REGISTRATIONS.get(event.name)) is not None:
        handler.revert(session, event.arguments, undo)


def revert_position(session: Session, event: RareEvent, undo: Arguments) -> None:
    """Puts back what it replaced in a position."""
    if (handler := _POSITIONS.get(event.name)) is not None:
        handler.revert(session, event.arguments, undo)


# -------------------------------------------------------------------- one order for their locks


def changes_only_position(event: RareEvent) -> bool:
    """Whether the event has no step before a block's entries."""
    return event.name in _POSITIONS and event.name not in _REGISTRATIONS


def merchants_paid(events: Iterable[RareEvent]) -> set[int]:
    """The merchants whose positions these events change."""
    return {event.arguments["merchant"] for event in events if event.name in _POSITIONS}


def by_table(events: Iterable[E], event_of: Callable[[E], RareEvent]) -> list[E]:
    """The events table by table: a table's version is locked with its first change.

    Those of one table stay as they came, oldest first or newest first: a later one may change what an earlier one has registered.
    """
    return sorted(events, key=lambda one: _TABLES.get(event_of(one).name, len(_TABLES)))


def lock_registrations(session: Session, events: Iterable[RareEvent]) -> None:
    """Locks the merchants and agreements that these events change, each kind in the order in which everybody locks it."""
    merchants, numbers, digests = set(), set(), set()
    for event in events:
        if event.name in ("MerchantRegistered", "MerchantStatusChanged"):
            merchants.add(event.arguments["merchant"])
        elif event.name in ("AgreementRegistered", "AgreementEnds"):
            numbers.add(event.arguments["agreement"])
            digests |= {bytes_of(event.arguments["digest"])} if event.name == "AgreementRegistered" else set()
    if merchants:
        MerchantRepository(session).next_nonces(merchants, lock=True)
    if numbers:
        AgreementRepository(session).lock_all(numbers, digests)


# -------------------------------------------------------------------- merchants


def _merchant_registered(session: Session, arguments: Arguments) -> Arguments:
    number = arguments["merchant"]
    merchants = MerchantRepository(session)
    merchant = merchants.by_number(number) or Merchant(
        number=number, id=new_id("mer"), name=word_text(bytes_of(arguments["name"]))
    )
    merchant.status = MerchantStatus.ACTIVE
    merchants.store(merchant)
    return {}


def _merchant_unregistered(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    MerchantRepository(session).get_one(arguments["merchant"]).status = MerchantStatus.PENDING


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


_CAP = ("issuance_cap", "next_issuance_cap", "next_cap_day", "uncapped_day", "uncapped_points")
"""What a change of a cap changes."""


def _cap_changed(session: Session, arguments: Arguments) -> Arguments:
    """A cap counts at once if its first day is the block's, and later otherwise. What was issued on the day of a first cap, but
    before it, does not count."""
    program = ProgramRepository(session).get_one(arguments["program"])
    undo = {name: getattr(program, name) for name in _CAP}
    block = BlockRepository(session).last()
    day = block.day if block is not None else arguments["fromDay"]
    if arguments["fromDay"] > day:
        program.issuance_cap = program.cap_on(day)
        program.next_issuance_cap, program.next_cap_day = arguments["points"], arguments["fromDay"]
        return undo
    if not program.issuance_cap:
        issued = ActivityRepository(session).issued_on(program.merchant_number, program.number, day)
        program.uncapped_day, program.uncapped_points = day, issued
    program.issuance_cap, program.next_issuance_cap, program.next_cap_day = arguments["points"], 0, None
    return undo


def _cap_reverted(session: Session, arguments: Arguments, undo: Arguments) -> None:
    program = ProgramRepository(session).get_one(arguments["program"])
    for name in _CAP:
        setattr(program, name, undo[name])


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


def _limit_granted(session: Session, arguments: Arguments) -> Arguments:
    PositionRepository(session).lock(arguments["merchant"]).credit_limit = arguments["creditLimitMicros"]
    session.flush()
    return {}


def _limit_withdrawn(session: Session, arguments: Arguments, _undo: Arguments) -> None:
    PositionRepository(session).lock(arguments["merchant"]).credit_limit = 0


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


_REGISTRATIONS = {
    "MerchantRegistered": Handler(_merchant_registered, _merchant_unregistered),
    "MerchantStatusChanged": Handler(_status_changed, _status_reverted),
    "SignerChanged": Handler(_signer_changed, _signer_reverted),
    "ProgramRegistered": Handler(_program_registered, _program_unregistered),
    "ProgramPauseChanged": Handler(_pause_changed, _pause_reverted),
    "IssuanceCapChanged": Handler(_cap_changed, _cap_reverted),
    "AgreementRegistered": Handler(_agreement_registered, _agreement_unregistered),
    "AgreementEnds": Handler(_agreement_ends, _agreement_end_reverted),
}

_TABLES = {
    "MerchantRegistered": 0,
    "MerchantStatusChanged": 0,
    "SignerChanged": 1,
    "ProgramRegistered": 2,
    "ProgramPauseChanged": 2,
    "IssuanceCapChanged": 2,
    "AgreementRegistered": 3,
    "AgreementEnds": 3,
}
"""Which table each one changes: the tables in the order in which everybody locks them, and in which an onboarding fills them."""

_POSITIONS = {
    "MerchantRegistered": Handler(_limit_granted, _limit_withdrawn),
    "CreditLimitChanged": Handler(_limit_changed, _limit_reverted),
    "Deposited": Handler(_deposited, _deposit_reverted),
    "Withdrawn": Handler(_withdrawn, _withdrawal_reverted),
}
