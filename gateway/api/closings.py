"""What closings share, of accounts and of positions: the parameter that asks for one, and the block that one belongs to."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from clearing.kit.fields import Day
from clearing.oversight.closings.service import ClosingDay
from gateway.http.context import Call
from gateway.http.schemas import Hex, View

AsOf = Annotated[
    Day | None,
    Query(description="as it was at the end of this day of the network, which is over; now, if it is missing"),
]


class ClosingView(View):
    """What was at the end of a day. The chain says the same at `block_number`."""

    as_of: date
    block_number: int | None = Field(
        description="the last block of the day, or of the days before it; null if the chain began later: then all was zero"
    )
    block_hash: Hex | None
    final: bool = Field(description="true: the network has seen a later day begin, so nothing can come to this one")


def closing_of(call: Call, closing: ClosingDay) -> dict[str, Any]:
    """The fields of every closing."""
    block = closing.last_block
    return {
        "as_of": call.gateway.network.date_of(closing.day),
        "block_number": None if block is None else block.number,
        "block_hash": None if block is None else block.hash,
        "final": closing.is_final,
    }
