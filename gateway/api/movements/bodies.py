"""Request bodies of movements, derived from the request types of the registry of kinds: nothing is said twice."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, create_model

from clearing.kit.fields import Reference, Signature
from clearing.ordering.orders.kinds import KINDS
from clearing.ordering.orders.kinds.base import InstructionKind
from clearing.ordering.orders.requests import Authorization, InstructionRequest
from gateway.http.schemas import Body
from tongdui.orders import NONCE_MAX, signature_bytes


class AuthorizationBody(Body):
    """Your own signature over the order (EIP-712 type `Order`). Without it the gateway signs with the key it keeps for you."""

    nonce: Annotated[int, Field(strict=True, ge=0, le=NONCE_MAX)]
    deadline: Annotated[int, Field(strict=True, ge=0, le=2**40 - 1, description="Unix seconds")]
    signature: Signature

    def wire(self) -> Authorization:
        """What the service takes."""
        return Authorization(self.nonce, self.deadline, signature_bytes(self.signature))


class InstructionBody(Body):
    """Base of the bodies below: a request of one kind, in JSON."""

    def instruction(self, kind: InstructionKind[Any]) -> InstructionRequest:
        """What the service takes."""
        given = self.__dict__  # of a model that pydantic has just made: an attribute's way round takes longer
        request: InstructionRequest = kind.request(**{name: given[name] for name in kind.field_names})
        return request


class CreateBody(InstructionBody):
    """Base of what `POST /v1/{collection}` takes."""

    authorization: AuthorizationBody | None = None


class OrderItem(InstructionBody):
    """Base of an element of an order."""

    kind: str


def request_fields(kind: InstructionKind[Any]) -> dict[str, Any]:
    """The fields of a kind's request as pydantic takes them: name -> (type, default)."""
    types = get_type_hints(kind.request, include_extras=True)
    return {
        field.name: (types[field.name], ... if field.default is MISSING else field.default)
        for field in fields(kind.request)
    }


def one_of(*labels: str) -> Any:
    """The type of a field that takes one of these labels."""
    return Literal[labels]


def _create_body(kind: InstructionKind[Any]) -> type[CreateBody]:
    return create_model(
        f"{kind.noun.capitalize()}Create",
        __base__=CreateBody,
        __doc__=kind.request.__doc__,
        **request_fields(kind),
    )


def _order_item(kind: InstructionKind[Any]) -> type[OrderItem]:
    return create_model(
        f"{kind.label.capitalize()}Item",
        __base__=OrderItem,
        __doc__=kind.request.__doc__,
        **request_fields(kind),
        kind=(one_of(kind.label), ...),
    )


class LookupBody(Body):
    """Document numbers of yours, of one kind of movement."""

    kind: str
    references: Annotated[list[Reference], Field(min_length=1, max_length=500, description="1 to 500 of them")]


Lookup: type[LookupBody] = create_model(
    "MovementLookup",
    __base__=LookupBody,
    __doc__=LookupBody.__doc__,
    kind=(one_of(*(kind.label for kind in KINDS)), ...),
)
"""`LookupBody` with the labels of the registered kinds."""

CREATE_BODIES: dict[str, type[CreateBody]] = {kind.label: _create_body(kind) for kind in KINDS}
"""By label: what `POST /v1/{collection}` takes."""

ORDER_ITEMS: dict[str, type[OrderItem]] = {kind.label: _order_item(kind) for kind in KINDS}
"""By label: an element of an order's `instructions`."""
