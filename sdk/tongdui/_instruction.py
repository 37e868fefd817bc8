"""What every kind of instruction has in common, and how a caller may name members and programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

from . import orders
from ._directory import Directory
from ._flow import Flow
from ._gateway import Identified, given, name_of
from ._models import EntryFields, Hold, Member, Program

MemberName: TypeAlias = str | Identified
"""A `Member`, its id (`mem_...`), or `external:` and your own number for the customer."""
ProgramName: TypeAlias = str | Identified
"""A `Program`, its code (`FUEL`) or its id."""


@dataclass(frozen=True, slots=True)
class SignableInstruction:
    """An instruction as it is signed, and the body that lets the gateway rebuild exactly that."""

    wire: orders.Instruction
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTerms:
    """What the caller says of the movement that a hold becomes; the hold says the rest."""

    points: int
    agreement: str | None = None
    """The id of the agreement, if the terms or the hold name one."""
    agreement_kind: str | None = None
    """`exchange` or `acceptance`, if there is an agreement."""
    target_program: ProgramName | None = None
    target_merchant: str | Identified | None = None
    min_out: int | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] | None = None


class InstructionRequest(ABC):
    """One instruction, as a caller writes it. Each kind is a subclass of its own in `tongdui._kinds`."""

    __slots__ = ()

    kind: ClassVar[orders.Kind]
    label: ClassVar[str]
    """The kind's name in the API: `issue`."""
    noun: ClassVar[str]
    """What a movement of this kind is called, and its `object` in the API: `issuance`."""
    collection: ClassVar[str]
    """The path segment of its resource, and the client's attribute: `issuances`."""

    member: MemberName | None
    """Whose points they are. None where a code, a hold or an earlier movement says that."""
    points: int | None
    """None for all that is left of what it undoes."""

    def members(self) -> Sequence[MemberName]:
        """The members whose addresses are signed, as the caller names them."""
        return () if self.member is None else (self.member,)

    @abstractmethod
    def body(self) -> dict[str, Any]:
        """The JSON body of the instruction when the gateway signs it."""

    @abstractmethod
    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign.

        Args:
            directory: Looks up numbers and addresses.

        Returns:
            The instruction as it is signed, with the body to post.

        Raises:
            SigningError: The request does not say enough to sign it.
            VerificationError: The gateway's data contradict themselves or the chain.
        """

    def expected_entry(self, directory: Directory) -> EntryFields:
        """What is certain about the future entry when the gateway signs, without asking the gateway.

        The member's address is left out while it is unknown.
        """
        member = self.member
        if isinstance(member, Member):
            address: str | None = member.address
        else:
            address = directory.known_address(name_of(member)) if member is not None else None
        return {"kind": int(self.kind), **given(member=address, points=self.points)}

    @classmethod
    def from_hold(cls, hold: Hold, terms: CaptureTerms) -> Self | None:  # noqa: ARG003 - for kinds that can
        """Build the instruction that captures a hold.

        Args:
            hold: The hold, with its member.
            terms: What the caller says of the movement.

        Returns:
            The instruction, or None when the terms ask for a different kind or the kind cannot capture holds.
        """
        return None

    def capture_body(self, body: dict[str, Any]) -> dict[str, Any]:
        """Reduce the instruction's body to what a hold does not say itself."""
        return {name: value for name, value in body.items() if name not in {"member", "program"}}


def code_of(program: ProgramName) -> str:
    """A program's code; for a name, the name as it was given."""
    return program.code if isinstance(program, Program) else name_of(program)
