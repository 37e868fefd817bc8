"""What exchanges and spends have in common: how they name the member and the agreement."""

from __future__ import annotations

from tongdui._directory import Directory
from tongdui._errors import SigningError
from tongdui._flow import Flow
from tongdui._gateway import Identified, name_of
from tongdui._instruction import MemberName
from tongdui._models import Agreement, Quote


def require_member_or_code(member: MemberName | None, member_code: str | None) -> None:
    """Refuse a request that says twice, or not at all, whose points it moves. Raises ValueError."""
    if (member is None) == (member_code is None):
        raise ValueError("say whose points they are: either member, or the member_code that the member has shown you")


def agreement_name(agreement: str | Identified | None, quote: str | Quote | None) -> str | None:
    """The id of the agreement that the caller named, itself or by a `Quote`."""
    if agreement is not None:
        return name_of(agreement)
    return quote.agreement if isinstance(quote, Quote) else None


def number_on_chain(agreement: Agreement, kind: str) -> int:
    """The number by which an order names the agreement.

    Raises:
        SigningError: It is not on the chain, or of another kind.
    """
    if agreement.kind != kind:
        raise SigningError(f"agreement {agreement.id} is an {agreement.kind} agreement, not an {kind} agreement")
    if agreement.number is None:
        raise SigningError(f"agreement {agreement.id} is {agreement.state}: it is not on the chain")
    return agreement.number


def address_of(
    directory: Directory, member: MemberName | None, member_code: str | None, program: str, points: int
) -> Flow[str]:
    """The address of the member, or of the one whose code it is."""
    if member_code is not None:
        return (yield from directory.code_holder(member_code, program, points)).address
    assert member is not None, "require_member_or_code has looked"
    return (yield from directory.address(name_of(member)))
