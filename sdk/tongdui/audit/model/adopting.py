"""Takes over what the chain says, allowed or not: after a finding, the audit goes on from the chain's own state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...orders import NO_NONCE, ZERO_ADDRESS, AgreementTerms, Kind, Reason
from ...receipts import Entry
from ..leaves import Leaf, LeafKind
from . import succession
from .clearing_house import OPERATOR_MERCHANT, ClearingHouse, Event
from .records import Agreement, Key, Merchant, Predecessor, Program, Status, Use


def adopt(house: ClearingHouse, event: Event, original: Entry | None = None) -> None:
    """Moves the model to where an event says that the chain is.

    Args:
        house: The model.
        event: The event. Numbers in it that the model does not know move nothing.
        original: The entry that a reversal undoes, if it is known.
    """
    name, values = event
    if values and isinstance(values[0], Entry):
        _adopt_entry(house, values[0], original)
    elif name in _READERS:
        _READERS[name](house, *values)


def _merchant_registered(house: ClearingHouse, merchant: int, limit: int, name: bytes) -> None:
    house.merchants[merchant] = Merchant(limit)
    house.names[merchant] = name
    house.one["merchants"] = max(house.one["merchants"], merchant + 1)


def _status_changed(house: ClearingHouse, merchant: int, status: int) -> None:
    if merchant in house.merchants:
        house.merchants[merchant] = house.merchants[merchant]._replace(status=Status(status))


def _signer_changed(house: ClearingHouse, merchant: int, key: str, start: int, end: int, nonce: int) -> None:
    if merchant not in house.merchants:
        return
    house.keys[key] = Key(merchant, start, end)
    if nonce != NO_NONCE:
        house.use_nonce(merchant, nonce)


def _program_registered(house: ClearingHouse, program: int, merchant: int, code: bytes, name: bytes) -> None:
    house.programs[program] = Program(merchant, code, name)
    house.one["programs"] = max(house.one["programs"], program)


def _program_paused(house: ClearingHouse, program: int, paused: bool) -> None:
    if program in house.programs:
        house.programs[program] = house.programs[program]._replace(paused=paused)


def _cap_changed(house: ClearingHouse, program: int, points: int, from_day: int) -> None:
    if program in house.programs:
        cap = house.programs[program].cap.changed(points, house.today(), from_day)
        house.programs[program] = house.programs[program]._replace(cap=cap)


def _paused(house: ClearingHouse, _by: str) -> None:
    house.one["paused"] = True


def _unpaused(house: ClearingHouse, _by: str) -> None:
    house.one["paused"] = False


def _role_changed(house: ClearingHouse, role: int, account: str, held: bool) -> None:
    house.roles[role, account] = held


def _ownership_offered(house: ClearingHouse, _owner: str, new: str) -> None:
    house.one["pending admin"] = new


def _ownership_moved(house: ClearingHouse, _owner: str, new: str) -> None:
    house.one["admin"], house.one["pending admin"] = new, ZERO_ADDRESS


def _agreement_registered(
    house: ClearingHouse, number: int, digest: bytes, terms: tuple[Any, ...], *_signatures: bytes
) -> None:
    agreed = AgreementTerms(*terms)
    if not _makes_sense(house, agreed):
        return
    house.agreements[number] = Agreement(agreed)
    house.registered[digest] = number
    house.one["agreements"] = max(house.one["agreements"], number)
    if agreed.supersedes:
        house.use[number] = Use(house.today(), house.use[agreed.supersedes].on(house.today()))


def _makes_sense(house: ClearingHouse, terms: AgreementTerms) -> bool:
    """Whether all that an agreement refers to exists, so that it can be worked with."""
    programs = {terms.source_program, terms.target_program} - {0}
    merchants = {terms.source_merchant, terms.target_merchant}
    known = all(one in house.programs for one in programs) and all(one in house.merchants for one in merchants)
    return known and terms.source_program != 0 and terms.rate_num > 0 and terms.rate_den > 0


def _agreement_ends(house: ClearingHouse, number: int, valid_until: int, _successor: int) -> None:
    if number in house.agreements:
        house.end_at(number, valid_until)


def _limit_changed(house: ClearingHouse, merchant: int, micros: int) -> None:
    if merchant in house.merchants:
        house.merchants[merchant] = house.merchants[merchant]._replace(credit_limit=micros)


def _deposited(house: ClearingHouse, merchant: int, micros: int, bank_ref: bytes) -> None:
    if merchant in house.merchants:
        house.move_money(merchant, micros, bank_ref)


def _withdrawn(house: ClearingHouse, merchant: int, micros: int, bank_ref: bytes) -> None:
    _deposited(house, merchant, -micros, bank_ref)


def _instruction_rejected(house: ClearingHouse, merchant: int, nonce: int, _item: int, _reason: int) -> None:
    house.use_nonce(merchant, nonce)


def _order_rejected(house: ClearingHouse, merchant: int, nonce: int, _digest: bytes, reason: int) -> None:
    if reason == Reason.ATOMIC_FAILED:
        house.use_nonce(merchant, nonce)


def _batch_closed(house: ClearingHouse, batch: int, _entries: int, root: bytes, head: bytes) -> None:
    house.add_batch(batch, root, head)


def _frozen(house: ClearingHouse, *_final: Any) -> None:
    succession.adopt_frozen(house)


def _import_begun(house: ClearingHouse, predecessor: tuple[Any, ...]) -> None:
    succession.adopt_begun(house, Predecessor(*predecessor))


def _leaf_imported(house: ClearingHouse, index: int, kind: int, key: int, packed: int) -> None:
    if kind in set(LeafKind):
        succession.adopt_leaf(house, index, Leaf(kind, key, packed))


def _opened(house: ClearingHouse, *_final: Any) -> None:
    succession.adopt_opened(house)


_READERS: dict[str, Callable[..., None]] = {
    "MerchantRegistered": _merchant_registered,
    "MerchantStatusChanged": _status_changed,
    "SignerChanged": _signer_changed,
    "ProgramRegistered": _program_registered,
    "ProgramPauseChanged": _program_paused,
    "IssuanceCapChanged": _cap_changed,
    "Paused": _paused,
    "Unpaused": _unpaused,
    "RoleChanged": _role_changed,
    "OwnershipTransferStarted": _ownership_offered,
    "OwnershipTransferred": _ownership_moved,
    "AgreementRegistered": _agreement_registered,
    "AgreementEnds": _agreement_ends,
    "CreditLimitChanged": _limit_changed,
    "Deposited": _deposited,
    "Withdrawn": _withdrawn,
    "InstructionRejected": _instruction_rejected,
    "OrderRejected": _order_rejected,
    "BatchClosed": _batch_closed,
    "Frozen": _frozen,
    "ImportBegun": _import_begun,
    "LeafImported": _leaf_imported,
    "Opened": _opened,
}


# ---------------------------------------------------------------- entries


def _adopt_entry(house: ClearingHouse, e: Entry, original: Entry | None) -> None:
    house.use_nonce(e.merchant, e.nonce)
    if e.program not in house.programs or (e.agreement and e.agreement not in house.agreements):
        return
    match e.kind:
        case Kind.ISSUE:
            house.mint(e.member, e.program, e.points, "issued")
            house.count_issued(e.program, e.points)
        case Kind.REDEEM:
            house.burn(e.member, e.program, e.points, "redeemed")
        case Kind.EXPIRE:
            house.burn(e.member, e.program, e.points, "expired")
        case Kind.TRANSFER:
            _transfer(house, e.member, _recipient(e), e)
        case Kind.EXCHANGE | Kind.SPEND if e.agreement:
            _convert(house, e)
        case Kind.REVERSE if original is not None:
            _reverse(house, e, original)


def _transfer(house: ClearingHouse, giver: str, receiver: str, e: Entry) -> None:
    house.balances[giver, e.program] -= e.points
    house.balances[receiver, e.program] += e.points


def _convert(house: ClearingHouse, e: Entry) -> None:
    terms, today = house.agreements[e.agreement].terms, house.today()
    house.burn(e.member, e.program, e.points, "exchanged_out" if terms.target_program else "spent")
    if terms.target_program:
        house.mint(e.member, terms.target_program, e.out, "exchanged_in")
    house.use[e.agreement] = Use(today, house.use[e.agreement].on(today) + e.points)
    house.pay(terms.source_merchant, terms.target_merchant, e.settled)
    house.pay(terms.source_merchant, OPERATOR_MERCHANT, e.fee)


def _reverse(house: ClearingHouse, e: Entry, original: Entry) -> None:
    house.reversed[e.link] += e.points
    match original.kind:
        case Kind.ISSUE:
            house.burn(e.member, e.program, e.points, "revoked")
        case Kind.REDEEM | Kind.EXPIRE:
            house.mint(e.member, e.program, e.points, "restored")
        case Kind.TRANSFER:
            _transfer(house, _recipient(original), e.member, e)
        case Kind.EXCHANGE | Kind.SPEND if e.agreement:
            terms = house.agreements[e.agreement].terms
            house.mint(e.member, e.program, e.points, "restored")
            if terms.target_program:
                house.burn(e.member, terms.target_program, e.out, "revoked")
            house.pay(terms.target_merchant, terms.source_merchant, e.settled + e.fee)
            house.give_back_use(original, e.points)


def _recipient(transfer: Entry) -> str:
    return "0x" + transfer.link[12:].hex()
