"""What merchants ask for, in the words of the API. Each kind of instruction adds a request type of its own (see `kinds`).

The fields are named and typed as in the API, so a pointer to a wrong field needs no translation. The types are enforced where a
request comes from outside; the network's own requests are made in code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import MemberName, Metadata, Points, Reference, Word
from tongdui.orders import Kind

MEMBER_OR_CODE = "say whose points they are: either member, or the member_code that the member has shown you"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionRequest:
    """What every kind asks for."""

    kind: ClassVar[Kind]

    reference: Reference | None = None
    ref: Annotated[Word | None, Field(description="salted hash of the reference, for the chain; zero if missing")] = (
        None
    )
    metadata: Metadata | None = None

    @property
    def named_members(self) -> tuple[str, ...]:
        """The members that it names, whom the merchant must know."""
        return ()

    @property
    def named_quotes(self) -> tuple[str, ...]:
        """The quotes that it names."""
        return ()

    @property
    def is_alone(self) -> bool:
        """Whether its order needs a transaction of its own, because something is locked or written before it is decided."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRequest(InstructionRequest):
    """What every kind asks for that moves so many points."""

    points: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRequest(PointsRequest):
    """What every kind asks for that moves points of a member whom the merchant knows: `mem_...` or `external:...`."""

    member: MemberName

    @property
    def named_members(self) -> tuple[str, ...]:
        """The member."""
        return (self.member,)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A merchant's own signature over the order: its nonce, deadline (Unix seconds) and compact signature (64 bytes)."""

    nonce: int
    deadline: int
    signature: bytes
