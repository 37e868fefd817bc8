"""Orders of many instructions, and nonces to sign them with."""

from __future__ import annotations

import operator
from datetime import datetime
from functools import reduce
from typing import Annotated, Any

from pydantic import Field, StrictBool, create_model

from clearing.ordering.orders.models import OrderState
from gateway.api.movements.bodies import ORDER_ITEMS, AuthorizationBody, OrderItem
from gateway.api.movements.schemas import MovementView
from gateway.http.schemas import Body, Hex, View


class OrderBody(Body):
    """Up to 500 instructions under one signature, some 400 of exchanges. `atomic`: all of them take effect, or none."""

    instructions: list[OrderItem]
    atomic: StrictBool = False
    authorization: AuthorizationBody | None = None


_Item: Any = Annotated[reduce(operator.or_, ORDER_ITEMS.values()), Field(discriminator="kind")]

OrderCreate: type[OrderBody] = create_model(
    "OrderCreate",
    __base__=OrderBody,
    __doc__=OrderBody.__doc__,
    instructions=(Annotated[list[_Item], Field(min_length=1, max_length=500)], ...),
)
"""`OrderBody` with the items of the registered kinds."""


class NonceRequest(Body):
    """Nonces to reserve for orders that you sign yourself."""

    count: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 1


class OrderView(View):
    """What one merchant signed, with its movements."""

    id: str
    state: OrderState
    merchant: str
    nonce: int
    deadline: int = Field(description="Unix seconds")
    atomic: bool
    digest: Hex
    reason: str | None
    size: int = Field(description="instructions in the order")
    rejected_count: int = Field(description="of a final order, how many instructions did not take effect")
    movements: list[MovementView] | None = Field(description="null where `Prefer: return=minimal` asked for none")
    created_at: datetime
    settled_at: datetime | None
    tx_hash: Hex | None
    block_number: int | None


class NoncesView(View):
    """`first` to `first + count - 1` are yours."""

    first: int
    count: int
