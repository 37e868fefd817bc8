"""Transfer: points of a member become another member's, in a program of the merchant's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tongdui import orders
from tongdui._amounts import whole_points
from tongdui._directory import Directory
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import given, name_of
from tongdui._instruction import InstructionRequest, MemberName, ProgramName, SignableInstruction, code_of
from tongdui._models import Movement
from tongdui._signing import reference_hash
from tongdui.encoding import address_word, hex_of

from ._movements import MovementResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(InstructionRequest):
    """Points that go from one member to another. They keep their expiry.

    Attributes:
        program: The program, which is yours.
        member: Whose points they are.
        recipient: Whose they become.
        points: How many.
        reference: Your document number. A second movement with it is refused.
        metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
    """

    kind: ClassVar = orders.Kind.TRANSFER
    label: ClassVar = "transfer"
    noun: ClassVar = "transfer"
    collection: ClassVar = "transfers"

    program: ProgramName
    member: MemberName
    recipient: MemberName
    points: int
    reference: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        whole_points(self.points)
        if name_of(self.member) == name_of(self.recipient):
            raise ValueError("the recipient is the member itself: name another member")

    def members(self) -> tuple[MemberName, ...]:
        """Both of them."""
        return (self.member, self.recipient)

    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""
        return given(
            program=code_of(self.program),
            member=name_of(self.member),
            recipient=name_of(self.recipient),
            points=self.points,
            reference=self.reference,
            metadata=self.metadata,
        )

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign: the recipient's address is the instruction's link."""
        program = yield from directory.program(code_of(self.program))
        address = yield from directory.address(name_of(self.member))
        recipient = yield from directory.address(name_of(self.recipient))
        ref = reference_hash(directory.signer, self.reference)
        wire = orders.Instruction(
            kind=self.kind,
            member=address,
            points=self.points,
            program=program.number,
            link=address_word(recipient),
            ref=ref,
        )
        return SignableInstruction(wire, {**self.body(), "ref": hex_of(ref)})


class _Transfers(MovementResource):
    request = Transfer

    @operation
    def create(
        self,
        *,
        program: ProgramName,
        member: MemberName,
        recipient: MemberName,
        points: int,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Movement]:
        """Move points of your program from one member to another: within a family, or as a gift. They keep their expiry.

        Args:
            program: The program.
            member: Whose points they are.
            recipient: Whose they become. You know both members.
            points: How many.
            reference: Your document number. A second transfer with it is refused.
            metadata: A JSON object of your own, kept beside the movement and shown to you only; never on the chain.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The transfer. `movement.settled()` gives its entry, or raises RejectedError.

        Raises:
            InsufficientPointsError: The member has too few points.
            DuplicateReferenceError: The reference was used before.
            SigningError: The order cannot be signed on this machine.
        """
        instruction = Transfer(
            program=program, member=member, recipient=recipient, points=points, reference=reference, metadata=metadata
        )
        return (yield from self._submit(instruction, idempotency_key, wait))


class Transfers(Blocking, _Transfers):
    """Transfers: points that go from one member to another."""


class AsyncTransfers(Awaiting, _Transfers):
    """Transfers: points that go from one member to another. Its methods are awaited."""
