"""What merchants ask for, in the words of the API. Each kind of instruction adds a request type of its own (see `kinds`).

The fields are named and typed as in the API, so a pointer to a wrong field needs no translation. The types are enforced where a
request comes from outside; the network's own requests are made in code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from clearing.kit.fields import MemberName, Points, Reference, Word
from tongdui.orders import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionRequest:
    """What every kind asks for. `member` is `mem_...` or `external:...`."""

    kind: ClassVar[Kind]

    member: MemberName
    points: Points
    reference: Reference | None = None
    ref: Annotated[Word | None, Field(description="salted hash of the reference, for the chain; zero if missing")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Authorization:
    """A merchant's own signature over the order: its nonce, deadline (Unix seconds) and compact signature (64 bytes)."""

    nonce: int
    deadline: int
    signature: bytes
