"""Reverse: an earlier movement is undone, in whole or in part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tongdui import orders
from tongdui._amounts import whole_points
from tongdui._directory import Directory
from tongdui._errors import SigningError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import given, name_of, optional_name_of
from tongdui._instruction import InstructionRequest, MemberName, SignableInstruction
from tongdui._models import EntryFields, Movement
from tongdui._signing import reference_hash
from tongdui.encoding import hex_of

from ._movements import MovementResource

_UNDONE = ("issue", "redeem", "exchange", "spend", "transfer", "expire")
"""The kinds that can be undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse(InstructionRequest):
    """An earlier movement, or a part of it, that is undone.

    Attributes:
        movement: The movement, or its id.
        original_reference: In place of `movement`: your document number of it.
        original_kind: With `original_reference`, if you gave that number to movements of several kinds: `issue`, `redeem`, ...
        points: How many of its points. By default all that are left.
        reference: Your document number of the reversal. A second reversal with it is refused.
        metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
    """

    kind: ClassVar = orders.Kind.REVERSE
    label: ClassVar = "reverse"
    noun: ClassVar = "reversal"
    collection: ClassVar = "reversals"

    movement: str | Movement | None = None
    original_reference: str | None = None
    original_kind: str | None = None
    points: int | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if (self.movement is None) == (self.original_reference is None):
            raise ValueError("say what to undo: either movement, or original_reference (your document number of it)")
        if self.original_kind is not None and self.original_kind not in _UNDONE:
            raise ValueError(f"original_kind must be one of {', '.join(_UNDONE)}")
        if self.points is not None:
            whole_points(self.points)

    def members(self) -> tuple[MemberName, ...]:
        """None: the original's entry says the address."""
        return ()

    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""
        return given(
            movement=optional_name_of(self.movement),
            original_reference=self.original_reference,
            original_kind=self.original_kind,
            points=self.points,
            reference=self.reference,
            metadata=self.metadata,
        )

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign: the original's entry, proven by its receipt, says everything but the points."""
        original = yield from self._original(directory)
        entry = yield from directory.entry_of(original)
        points = self.points if self.points is not None else original.reversible_points
        if not 0 < points <= entry.points:
            raise SigningError(f"{original.id} has no {points or 'more'} points left to undo")
        ref = reference_hash(directory.signer, self.reference)
        wire = orders.Instruction(
            kind=self.kind,
            member=entry.member,
            points=points,
            program=entry.program,
            agreement=entry.agreement,
            link=entry.wire().leaf(),
            ref=ref,
        )
        body = given(
            movement=original.id, points=points, reference=self.reference, metadata=self.metadata, ref=hex_of(ref)
        )
        return SignableInstruction(wire, body)

    def expected_entry(self, directory: Directory) -> EntryFields:  # noqa: ARG002 - the original says it all
        """What is certain about the future entry: whatever the `Movement` itself says of the original."""
        entry = self.movement.entry if isinstance(self.movement, Movement) else None
        return {"kind": int(self.kind), **given(points=self.points, link=entry.leaf if entry is not None else None)}

    def _original(self, directory: Directory) -> Flow[Movement]:
        if isinstance(self.movement, Movement) and self.movement.entry is not None and self.points is not None:
            return self.movement
        if self.movement is not None:
            return (yield from directory.movement(name_of(self.movement)))
        assert self.original_reference is not None, "__post_init__ has looked"
        found = yield from directory.movements_with(self.original_reference, self.original_kind)
        if len(found) != 1:
            kinds = ", ".join(movement.object for movement in found) or "none"
            raise SigningError(
                f"{self.original_reference} must mean one movement of yours ({kinds}): name the movement itself, or its kind"
            )
        return found[0]


class _Reversals(MovementResource):
    request = Reverse

    @operation
    def create(
        self,
        movement: str | Movement | None = None,
        *,
        original_reference: str | None = None,
        original_kind: str | None = None,
        points: int | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Undo an earlier movement, or a part of it: a returned sale, a cancelled wash, a gift to the wrong member.

        The points return with their original expiry, and what was paid for them flows back. You can undo what you issued, redeemed,
        expired or transferred, and give back what you took in by an exchange or a spend, whoever started it.

        Args:
            movement: The movement, or its id.
            original_reference: In place of `movement`: your document number of it.
            original_kind: With `original_reference`: `issue`, `redeem`, ... if you gave that number to movements of several kinds.
            points: How many of its points. By default all that are left.
            reference: Your document number of the reversal. A second reversal with it is refused.
            metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The reversal. `movement.settled()` gives its entry, or raises RejectedError.

        Raises:
            InsufficientPointsError: The points that must come back are spent; the message says how many are still there.
            InsufficientLiquidityError: Your position and credit limit do not cover what must be paid back.
            UnprocessableError: Less is left to undo (`over_reversal`), or the original has not settled (`not_settled`).
            ForbiddenError: Another merchant must give the points back (`not_giver`).
            SigningError: The order cannot be signed on this machine.
            VerificationError: The original's receipt does not prove what the movement shows.
        """
        instruction = Reverse(
            movement=movement,
            original_reference=original_reference,
            original_kind=original_kind,
            points=points,
            reference=reference,
            metadata=metadata,
        )
        return (yield from self._submit(instruction, idempotency_key, wait))


class Reversals(Blocking, _Reversals):
    """Reversals: movements that were undone, in whole or in part."""


class AsyncReversals(Awaiting, _Reversals):
    """Reversals: movements that were undone, in whole or in part. Its methods are awaited."""
