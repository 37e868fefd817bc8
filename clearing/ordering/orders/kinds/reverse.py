"""Reverse: an earlier movement is undone, in whole or in part. The merchant that gives value back asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from clearing.kit.errors import Forbidden, InvalidRequest, NotFound, Pointer, Refused
from clearing.kit.fields import MovementId, Points, Reference
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.effects import recipient_of
from clearing.ledger.journal.models import Entry
from clearing.ledger.journal.shares import Share, share_of
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.models import Movement
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.resolution import Charge, Draft, Draw, Gain, Resolver, Sides
from clearing.parties.access.service import Scope
from clearing.parties.agreements.conversion import Conversion
from clearing.parties.members.repository import KnownMember
from tongdui.encoding import ZERO_WORD, bytes_of
from tongdui.orders import Instruction, Kind

OriginalKind = Literal["issue", "redeem", "exchange", "spend", "transfer", "expire"]
"""The kinds that can be undone: all but a reversal itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseRequest(InstructionRequest):
    """What to undo: a `movement` by its id, or one of yours by its `original_reference`.

    Without `points`, all that is left of it.
    """

    kind = Kind.REVERSE

    movement: Annotated[
        MovementId | None, Field(description="the movement to undo, whichever side of it you are on")
    ] = None
    original_reference: Annotated[
        Reference | None, Field(description="in place of `movement`: your document number of the original")
    ] = None
    original_kind: Annotated[
        OriginalKind | None, Field(description="needed if you gave that number to movements of several kinds")
    ] = None
    points: Annotated[Points | None, Field(description="of the original's points; all that is left, if missing")] = None

    @property
    def is_alone(self) -> bool:
        """It locks its original against every other reversal."""
        return True


class Reverse(InstructionKind[ReverseRequest]):
    """Undoes an earlier movement, or a part of it."""

    kind = Kind.REVERSE
    noun = "reversal"
    collection = "reversals"
    id_prefix = "rev"
    scope = Scope.REVERSE
    summary = (
        "Undoes a settled movement, or a part of it: its points return with their original expiry, and what was paid for "
        "them flows back. Who took the points, or issued them, may do this."
    )
    request = ReverseRequest
    program_field = None

    def resolve(self, resolver: Resolver, request: ReverseRequest, at: Pointer) -> Draft:
        """Takes back what the original gave, gives back what it took, and lets the giver return what it was paid."""
        original = _original(resolver, request, at)
        entry = _settled_entry(original, at)
        _require_giver(resolver, original, at)
        route = resolver.usability.route(entry.agreement) if entry.agreement else None
        before, points = _points(resolver, request, original, entry, at)
        share = share_of(entry, before, points, route.source_merchant if route is not None else None)
        resolver.require_active(entry.program, at("movement"))
        if route is not None and route.target_program:
            resolver.require_active(route.target_program, at("movement"))
        instruction = Instruction(
            kind=Kind.REVERSE,
            member=entry.address,
            points=points,
            program=entry.program,
            agreement=entry.agreement,
            link=entry.leaf,
            ref=bytes_of(request.ref) if request.ref is not None else ZERO_WORD,
        )
        is_issue = entry.kind == Kind.ISSUE
        account = (entry.address, entry.program)
        return Draft(
            request,
            at,
            KnownMember(original.instruction.member_id, entry.address),
            instruction,
            Sides(
                original.instruction.receiver,
                original.instruction.giver,
                0 if is_issue else original.instruction.program,
            ),
            _draw(entry, share, route.target_program if route is not None else 0),
            None if is_issue else Gain(account, points),
            Charge(route.target_merchant, share.settled + share.fee) if route is not None else None,
            Conversion(*share),
            original=original.instruction.id,
        )

    def shortage(self, available: int, needed: int) -> str:
        """Says how many of the points that must come back are still there."""
        return f"the member has {available} of the {needed} points that must come back; the rest is spent"


# -------------------------------------------------------------------- the original


def _original(resolver: Resolver, request: ReverseRequest, at: Pointer) -> Movement:
    """The movement to undo, locked against every other reversal of it."""
    if (request.movement is None) == (request.original_reference is None):
        detail = "say what to undo: either movement (its id), or original_reference (your document number of it)"
        raise InvalidRequest.at(at("movement"), detail)
    if request.original_kind is not None and request.movement is not None:
        detail = "goes with original_reference only: the movement's id says its kind"
        raise InvalidRequest.at(at("original_kind"), detail)
    field = "movement" if request.movement is not None else "original_reference"
    movement_id = request.movement or _referenced(resolver, request, at)
    resolver.orders.hold_reversals(movement_id)
    movement = resolver.movements.by_id(movement_id)
    if movement is None or not _is_side(resolver.merchant.number, movement):
        raise NotFound.at(at(field), f"there is no movement {movement_id}", code="unknown_movement")
    if movement.instruction.kind == Kind.REVERSE:
        detail = f"{movement_id} is a reversal itself; make the movement anew instead"
        raise Refused.at(at(field), detail, code="not_reversible")
    return movement


def _referenced(resolver: Resolver, request: ReverseRequest, at: Pointer) -> str:
    """The id of the merchant's own movement with the request's reference."""
    reference = request.original_reference or ""
    found = {
        Kind(instruction.kind).label: instruction.id
        for instruction in resolver.orders.referenced(resolver.merchant.number, reference)
        if instruction.kind != Kind.REVERSE
    }
    if request.original_kind is not None:
        found = {kind: id for kind, id in found.items() if kind == request.original_kind}  # noqa: A001
    if not found:
        what = request.original_kind or "movement"
        detail = f"you have made no {what} with the reference {reference}; a refused one does not count"
        raise NotFound.at(at("original_reference"), detail, code="unknown_movement")
    if len(found) > 1:
        kinds = ", ".join(found)
        detail = f"you have given {reference} to movements of several kinds ({kinds}): say which in original_kind"
        raise InvalidRequest.at(at("original_kind"), detail, code="ambiguous_reference")
    return next(iter(found.values()))


def _is_side(merchant: int, movement: Movement) -> bool:
    instruction = movement.instruction
    return merchant in (instruction.merchant_number, instruction.giver, instruction.receiver)


def _settled_entry(original: Movement, at: Pointer) -> Entry:
    if original.entry is not None:
        return original.entry
    if original.order.state.is_final:
        detail = f"{original.instruction.id} is {original.state}: it has moved nothing that could come back"
    else:
        detail = f"{original.instruction.id} is {original.state}: wait until it has settled, then undo it"
    raise Refused.at(at("movement"), detail, code="not_settled")


def _require_giver(resolver: Resolver, original: Movement, at: Pointer) -> None:
    """Only who took the points in may give them back; what has no receiver, its issuer may undo."""
    receiver, giver = original.instruction.receiver, original.instruction.giver
    expected = receiver if receiver is not None else giver
    if resolver.merchant.number != expected:
        detail = f"only the merchant that took the points of {original.instruction.id} in may give them back; ask it"
        raise Forbidden.at(at("movement"), detail, code="not_giver")


# -------------------------------------------------------------------- how much of it


def _points(
    resolver: Resolver, request: ReverseRequest, original: Movement, entry: Entry, at: Pointer
) -> tuple[int, int]:
    """The points that earlier reversals undo, and those to undo now. Pending reversals reach the chain before this one."""
    earlier = resolver.reversals_of(original.instruction.id)
    before = sum(one.points for one in earlier)
    left = entry.points - before
    points = left if request.points is None else request.points
    if points > left or left == 0:
        pending = sum(one.points for one in earlier if not one.is_posted)
        detail = f"{left} of its {entry.points} points are left to undo"
        if pending:
            detail += f"; reversals of {pending} are on their way to the chain"
        raise Refused.at(at("points"), detail, code="over_reversal")
    resolver.note_reversal(original.instruction.id, points)
    return before, points


def _draw(entry: Entry, share: Share, target_program: int) -> Draw | None:
    """The points that must come back, and where they are."""
    account: AccountKey
    if entry.kind == Kind.ISSUE:
        account, points = (entry.address, entry.program), share.points
    elif entry.kind == Kind.TRANSFER:
        account, points = (recipient_of(entry.wire()), entry.program), share.points
    elif share.out:
        account, points = (entry.address, target_program), share.out
    else:
        return None
    return Draw(account, points)
