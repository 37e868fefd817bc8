"""What a kind of instruction has to say about itself. A new kind is one file beside this one, and one line in the registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from clearing.kit.errors import Pointer
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.availability.service import AvailabilityService
from clearing.ordering.orders.requests import InstructionRequest
from clearing.ordering.orders.resolution import Draft, Resolver
from clearing.parties.access.service import Scope
from tongdui.orders import Kind

R = TypeVar("R", bound=InstructionRequest)


class InstructionKind(ABC, Generic[R]):
    """One kind of instruction: its names, its request, and what a request of it means."""

    kind: ClassVar[Kind]
    noun: ClassVar[str]
    """One movement of this kind, such as `issuance`: the `object` of its view."""
    collection: ClassVar[str]
    """Its path below `/v1` and its attribute of the SDK's client."""
    id_prefix: ClassVar[str]
    scope: ClassVar[Scope]
    """What an API key needs to ask for it."""
    summary: ClassVar[str]
    """What `POST /v1/{collection}` does, for the API's description."""
    request: type[R]
    program_field: ClassVar[str | None] = "program"
    """The field of the request that names the program whose points move. None if none does."""
    can_capture: ClassVar[bool] = False
    """Whether a hold can become it."""
    not_captured: ClassVar[frozenset[str]] = frozenset()
    """Fields of the request that make no sense when a hold becomes it."""

    @abstractmethod
    def resolve(self, resolver: Resolver, request: R, at: Pointer) -> Draft:
        """The request in the chain's numbers, with what it will use up. Raises a ClearingError that names the wrong field."""

    def admit(
        self,
        session: Session,  # noqa: ARG002 (a hook)
        availability: AvailabilityService,  # noqa: ARG002
        drafts: Sequence[Draft],  # noqa: ARG002
    ) -> Mapping[AccountKey, int]:
        """A last look at an order's drafts of this kind, with their accounts locked; the expired points that they may burn."""
        return {}

    def shortage(self, available: int, needed: int) -> str:
        """The sentence for a request that draws more points than the account has available."""
        return f"the member has {available} points available, {needed} are needed"

    def captured_fields(self) -> frozenset[str]:
        """The fields of the request that a hold does not know: whoever captures the hold gives them."""
        known = {"member", "member_code", "points", self.program_field}
        return frozenset(self.field_names) - known - self.not_captured

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The names of the request's fields."""
        return tuple(field.name for field in fields(self.request))

    @cached_property
    def label(self) -> str:
        """The word for it in orders and scopes, such as `issue`."""
        return self.kind.label
