"""What the edge asks for: instructions in the words of the API, before they are resolved to the chain's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tongdui.orders import Kind


@dataclass(frozen=True, slots=True)
class InstructionRequest:
    """One movement that a merchant asks for. `member` is `mem_...` or `external:...`; `pointer` is where it stands in the body."""

    kind: Kind
    member: str
    points: int
    program: str | None = None
    agreement: str | None = None
    target_program: str | None = None
    target_merchant: str | None = None
    expires_on: date | None = None
    min_out: int | None = None
    quote: str | None = None
    reference: str | None = None
    ref: bytes | None = None
    pointer: str = ""

    def at(self, field: str) -> str:
        """JSON pointer to one of its fields."""
        return f"{self.pointer}/{field}"


@dataclass(frozen=True, slots=True)
class Authorization:
    """A merchant's own signature over the order: its nonce, deadline (Unix seconds) and compact signature (64 bytes)."""

    nonce: int
    deadline: int
    signature: bytes
