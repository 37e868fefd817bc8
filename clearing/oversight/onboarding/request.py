"""What a merchant is taken on board with. The same request again must mean the same merchant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from clearing.kit.errors import InvalidRequest
from clearing.kit.fields import Micros, MicrosOrZero, ProgramCode, Text
from clearing.parties.access.service import Scope
from clearing.parties.merchants.service import checked_address


def _fits_the_chain(text: str) -> str:
    size = len(text.encode())
    if not 1 <= size <= 32:
        raise ValueError(f"is {size} bytes long in UTF-8; the chain stores 1 to 32")
    return text


def _is_address(address: str) -> str:
    try:
        return checked_address(address, "/signer_address")
    except InvalidRequest as error:
        raise ValueError(error.detail) from None


ChainText = Annotated[Text, AfterValidator(_fits_the_chain)]


class OnboardingRequest(BaseModel):
    """A merchant, its key, its program, its credit, its first deposit and its API key."""

    model_config = ConfigDict(frozen=True)

    name: ChainText
    signer_address: Annotated[str, AfterValidator(_is_address)] | None = None
    """In lower case. None: the gateway makes the key and keeps it."""
    credit_limit: MicrosOrZero | None = None
    """In micros. None leaves it as it is, which is 0 for a new merchant."""
    program: ProgramCode | None = None
    program_name: ChainText | None = None
    """None leaves it as it is; a new program is called as its code."""
    lifetime_days: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """None leaves it as it is; points of a new program never expire."""
    deposit: Micros | None = None
    """In micros; booked once, under the reference of the merchant's onboarding."""
    scopes: frozenset[Scope] = frozenset(Scope)
    another_api_key: bool = False
    """Make an API key even if the merchant has one with these scopes."""

    @model_validator(mode="after")
    def _program_if_described(self) -> Self:
        if self.program is None and (self.program_name is not None or self.lifetime_days is not None):
            raise ValueError("a program's name and lifetime need its code")
        return self


def differences(pairs: Iterable[tuple[str, object, object]]) -> str:
    """What is there and what was asked for, where they differ: of (noun, there, asked) triples, in words."""
    return ", ".join(f"its {noun} is {there} and not {asked}" for noun, there, asked in pairs if there != asked)
