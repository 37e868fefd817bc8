"""Redeem: points taken in payment at the till of the program's own merchant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from tongdui import orders
from tongdui._amounts import whole_points
from tongdui._directory import Directory
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import given, name_of
from tongdui._instruction import (
    CaptureTerms,
    InstructionRequest,
    MemberName,
    ProgramName,
    SignableInstruction,
    code_of,
)
from tongdui._models import Hold, Movement
from tongdui._signing import reference_hash
from tongdui.encoding import hex_of

from ._movements import MovementResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem(InstructionRequest):
    """Points taken in payment at the till of the program's own merchant.

    Attributes:
        program: The program whose points are taken.
        member: Who pays with them.
        points: How many.
        reference: Your document number. A second movement with it is refused.
        metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
    """

    kind: ClassVar = orders.Kind.REDEEM
    label: ClassVar = "redeem"
    noun: ClassVar = "redemption"
    collection: ClassVar = "redemptions"

    program: ProgramName
    member: MemberName
    points: int
    reference: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        whole_points(self.points)

    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""
        return given(
            program=code_of(self.program),
            member=name_of(self.member),
            points=self.points,
            reference=self.reference,
            metadata=self.metadata,
        )

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign."""
        program = yield from directory.program(code_of(self.program))
        address = yield from directory.address(name_of(self.member))
        ref = reference_hash(directory.signer, self.reference)
        wire = orders.Instruction(kind=self.kind, member=address, points=self.points, program=program.number, ref=ref)
        return SignableInstruction(wire, {**self.body(), "ref": hex_of(ref)})

    @classmethod
    def from_hold(cls, hold: Hold, terms: CaptureTerms) -> Self | None:
        """Redeem what a hold set aside, unless the terms name an agreement or another side."""
        other = terms.agreement or terms.target_program or terms.target_merchant
        if hold.member is None or other is not None:
            return None
        return cls(
            program=hold.program,
            member=hold.member,
            points=terms.points,
            reference=terms.reference,
            metadata=terms.metadata,
        )


class _Redemptions(MovementResource):
    request = Redeem

    @operation
    def create(
        self,
        *,
        program: ProgramName,
        member: MemberName,
        points: int,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Take a member's points of your program in payment.

        Args:
            program: The program whose points are taken.
            member: Who pays with them.
            points: How many.
            reference: Your document number. A second movement with it is refused.
            metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The movement. `movement.settled()` gives its entry, or raises RejectedError.

        Raises:
            InsufficientPointsError: The member has too few points.
            DuplicateReferenceError: The reference was used before.
            SigningError: The order cannot be signed on this machine.
        """
        instruction = Redeem(program=program, member=member, points=points, reference=reference, metadata=metadata)
        return (yield from self._submit(instruction, idempotency_key, wait))


class Redemptions(Blocking, _Redemptions):
    """Redemptions: points of your program, taken in payment."""


class AsyncRedemptions(Awaiting, _Redemptions):
    """Redemptions: points of your program, taken in payment. Its methods are awaited."""
