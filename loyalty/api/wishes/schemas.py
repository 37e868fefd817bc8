"""How a wish is shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field

from loyalty.api.fields import View
from loyalty.network.models import WishState


class WishView(View):
    """A movement that the programme wants, and what became of it."""

    COLUMNS = {"original": "original_id"}  # noqa: RUF012 (pydantic's own: View says that it is a class variable)

    id: str
    kind: str = Field(description="`issue` or `reverse`")
    state: WishState
    reference: str
    program: str
    member: str
    points: int
    set_off: int = Field(description="points of them that do not move: they pay what the member owes, or are owed")
    expires_on: date | None
    facts: dict[str, Any] = Field(description="why it was wished for")
    original: str | None = Field(description="the wish that it undoes, in whole or in part")
    retry_of: str | None = Field(description="the refused wish in whose place it stands")
    refusal: str | None = Field(description="the network's code, if it was refused")
    refusal_detail: str | None
    movement: str | None = Field(description="the movement's id in the network")
    leaf: str | None = Field(description="the hash of its entry, which anybody can prove from the chain")
    tx_hash: str | None
    block_number: int | None
    settled_at: datetime | None
    created_at: datetime
