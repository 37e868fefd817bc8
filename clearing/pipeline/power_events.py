"""Events of what the chain says about powers: roles, owner, pauses, merchants' status, their keys and limits.

Whoever asked for it here is in the audit log with a reason already. What reached the contract some other way (a multisig, a stolen
key) has only the chain to tell of it, so that line goes into the audit log as well, with the address that sent the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from clearing.chain.client import Log, Receipt
from clearing.chain.contract import ROLES, ContractEvent
from clearing.chain.state import MERCHANT_STATUSES
from clearing.kit.events.changes import changed_from
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.events.repository import EventRepository
from clearing.kit.json_values import instant_text
from clearing.ledger.journal.repository import ChainEventRepository
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.repository import ProgramRepository
from clearing.pipeline.repository import TransactionRepository
from tongdui.encoding import hex_of

CHAIN = "chain"
"""The actor of what nobody has asked for here."""
_BY_US = "projector"


@dataclass(frozen=True, slots=True)
class _Change:
    """What happened to a subject."""

    type: str
    subject: str
    before: dict[str, Any]
    after: dict[str, Any]
    merchant: int | None = None


def record_powers(
    session: Session,
    contract: str,
    block_number: int,
    receipts: Sequence[Receipt],
    rare: Sequence[tuple[Log, ContractEvent]],
) -> None:
    """Records what a block's rare events did to powers. Call it when they are applied."""
    changes = [(item, event) for item, event in rare if event.name in _CHANGES]
    if not changes:
        return
    by_hash = {receipt.tx_hash: receipt for receipt in receipts}
    ours = TransactionRepository(session).known_hashes([item.tx_hash for item, _ in changes])
    undone = {one.log_index: one.undo for one in ChainEventRepository(session).of_block(block_number)}
    registered = {item.tx_hash for item, event in rare if event.name == "MerchantRegistered"}
    for item, event in changes:
        if item.index not in undone or (event.name == "SignerChanged" and item.tx_hash in registered):
            continue  # it is in quarantine; or the key came with its merchant
        change = _CHANGES[event.name](session, contract.lower(), event.arguments, undone[item.index])
        sender = by_hash[item.tx_hash].sender.lower()
        is_told = item.tx_hash in ours or _was_asked_for(session, change, sender)
        _record(session, change, _BY_US if is_told else CHAIN, sender, item.tx_hash)


def _was_asked_for(session: Session, change: _Change, sender: str) -> bool:
    """Whether somebody has noted here that this key is about to do just this, and the chain has not told of it since: a note stands
    for one transaction. (Not by its hash: a raised fee gives it another one.)"""
    events = EventRepository(session)
    told = events.list(subject=change.subject, type=change.type, limit=1)
    for request in REQUESTS[change.type]:
        for note in events.list(subject=change.subject, type=request, limit=1):
            is_newer = not told or note.seq > told[0].seq
            if is_newer and note.data.get("sender") == sender and note.data.get("after") == change.after:
                return True
    return False


def _record(session: Session, change: _Change, actor: str, sender: str, tx_hash: bytes) -> None:
    data = {**changed_from(change.before, change.after), "sender": sender, "transaction": hex_of(tx_hash)}
    recorder = EventRecorder(session)
    if change.merchant is None:
        network_change = change.type
        recorder.record(network_change, change.subject, actor=actor, data=data)
    else:
        merchant_change = change.type
        recorder.record(merchant_change, change.subject, actor=actor, merchants=[change.merchant], data=data)


# -------------------------------------------------------------------- what each event of the contract has changed


Arguments = Mapping[str, Any]


def _paused(_session: Session, contract: str, _arguments: Arguments, _undo: Arguments) -> _Change:
    return _Change("contract.paused", contract, {"paused": False}, {"paused": True})


def _frozen(_session: Session, contract: str, _arguments: Arguments, _undo: Arguments) -> _Change:
    return _Change("contract.frozen", contract, {"frozen": False}, {"frozen": True})


def _resumed(_session: Session, contract: str, _arguments: Arguments, _undo: Arguments) -> _Change:
    return _Change("contract.resumed", contract, {"paused": True}, {"paused": False})


def _role_changed(_session: Session, _contract: str, arguments: Arguments, _undo: Arguments) -> _Change:
    role, held = ROLES[arguments["role"]], arguments["held"]
    type_ = "contract.role_granted" if held else "contract.role_taken"
    return _Change(type_, arguments["account"], {"role": role, "held": not held}, {"role": role, "held": held})


def _owner_proposed(_session: Session, contract: str, arguments: Arguments, _undo: Arguments) -> _Change:
    owner, named = arguments["previousOwner"], arguments["newOwner"]
    before = {"owner": owner, "next_owner": None}
    return _Change("contract.owner_proposed", contract, before, {"owner": owner, "next_owner": named})


def _owner_changed(_session: Session, contract: str, arguments: Arguments, _undo: Arguments) -> _Change:
    before, after = {"owner": arguments["previousOwner"]}, {"owner": arguments["newOwner"]}
    return _Change("contract.owner_changed", contract, before, after)


def _status_changed(session: Session, _contract: str, arguments: Arguments, undo: Arguments) -> _Change:
    merchant = MerchantRepository(session).get_one(arguments["merchant"])
    after = MERCHANT_STATUSES[arguments["status"]]
    before = {"status": str(undo.get("status"))}
    return _Change("merchant.status_changed", merchant.id, before, {"status": after}, merchant.number)


def _signer_changed(session: Session, _contract: str, arguments: Arguments, undo: Arguments) -> _Change:
    merchant = MerchantRepository(session).get_one(arguments["merchant"])
    signer = arguments["key"].lower()
    before = {"signer": signer, "valid_until": _moment(undo.get("valid_until"))}
    after = {"signer": signer, "valid_until": _moment(arguments["validUntil"])}
    return _Change("merchant.signer_changed", merchant.id, before, after, merchant.number)


def _program_pause_changed(session: Session, _contract: str, arguments: Arguments, undo: Arguments) -> _Change:
    program = ProgramRepository(session).get_one(arguments["program"])
    before, after = {"paused": undo.get("status") == "paused"}, {"paused": arguments["paused"]}
    return _Change("program.pause_changed", program.id, before, after, program.merchant_number)


def _cap_changed(session: Session, _contract: str, arguments: Arguments, undo: Arguments) -> _Change:
    """A higher cap comes later: `issuance_cap` is the one of today."""
    program = ProgramRepository(session).get_one(arguments["program"])
    before = {
        "issuance_cap": undo.get("issuance_cap"),
        "next_issuance_cap": undo.get("next_issuance_cap") if undo.get("next_cap_day") else undo.get("issuance_cap"),
    }
    after = {"issuance_cap": program.issuance_cap, "next_issuance_cap": arguments["points"]}
    return _Change("program.issuance_cap_changed", program.id, before, after, program.merchant_number)


def _limit_changed(session: Session, _contract: str, arguments: Arguments, undo: Arguments) -> _Change:
    merchant = MerchantRepository(session).get_one(arguments["merchant"])
    before = {"credit_limit_micros": undo.get("credit_limit")}
    after = {"credit_limit_micros": arguments["creditLimitMicros"]}
    return _Change("merchant.credit_limit_changed", merchant.id, before, after, merchant.number)


def _moment(unix: int | None) -> str | None:
    return None if unix is None else instant_text(unix)


_CHANGES: Mapping[str, Callable[[Session, str, Arguments, Arguments], _Change]] = {
    "Paused": _paused,
    "Unpaused": _resumed,
    "Frozen": _frozen,
    "RoleChanged": _role_changed,
    "OwnershipTransferStarted": _owner_proposed,
    "OwnershipTransferred": _owner_changed,
    "MerchantStatusChanged": _status_changed,
    "SignerChanged": _signer_changed,
    "ProgramPauseChanged": _program_pause_changed,
    "IssuanceCapChanged": _cap_changed,
    "CreditLimitChanged": _limit_changed,
}
REQUESTS: Mapping[str, Sequence[str]] = {
    "contract.paused": ("contract.pause_requested",),
    "contract.frozen": ("contract.freeze_requested",),
    "contract.resumed": ("contract.resume_requested",),
    "contract.role_granted": ("contract.role_grant_requested",),
    "contract.role_taken": ("contract.role_take_requested",),
    "contract.owner_proposed": ("contract.owner_proposal_requested",),
    "contract.owner_changed": ("contract.owner_acceptance_requested",),
    "merchant.status_changed": (
        "merchant.suspension_requested",
        "merchant.resumption_requested",
        "merchant.closure_requested",
    ),
    "merchant.signer_changed": (
        "merchant.signer_revocation_requested",
        "merchant.signer_recovery_requested",
        "merchant.signer_change_requested",
    ),
    "program.pause_changed": ("program.pause_requested", "program.resumption_requested"),
    "program.issuance_cap_changed": ("program.issuance_cap_requested",),
    "merchant.credit_limit_changed": (),
}
"""The events of those who are about to send it with a key of their own."""
