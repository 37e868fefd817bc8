"""How tier schemes, and customers' tiers, are written and shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from loyalty.api.fields import Body, View
from loyalty.api.plan_fields import PlanView, TextView
from loyalty.tiers.models import KeptTierScheme
from loyalty.tiers.service import Crowd, Way
from loyalty.tiers.standing import MoveCause


class NewTierScheme(Body):
    """A version of a tier scheme."""

    scheme: dict[str, Any] = Field(description="the scheme, as docs/loyalty-tiers.md describes it")


class TierSchemeView(PlanView):
    """A version of a tier scheme."""


class TierSchemeDetailView(TierSchemeView):
    """A version of a tier scheme with its levels."""

    scheme: dict[str, Any]

    @classmethod
    def whole(cls, kept: KeptTierScheme) -> TierSchemeDetailView:
        """The view of a row, with the levels."""
        return cls.of(kept, scheme=json.loads(kept.content))


class CrowdView(View):
    """Customers who would go from one tier to another one."""

    from_tier: str = Field(description="empty for customers who have none yet")
    to_tier: str
    count: int
    some: list[str] = Field(description="the ids of the first of them")


class PreviewView(BaseModel):
    """Who would have which tier today, once every grace is over."""

    moves: list[CrowdView]

    @classmethod
    def of(cls, crowds: Sequence[Crowd]) -> PreviewView:
        """The view of what a preview found."""
        return cls(moves=[CrowdView.of(crowd) for crowd in crowds])


class LevelView(BaseModel):
    """A level of a scheme."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: TextView
    coefficient: int = Field(description="in basis points")
    benefits: list[TextView]


class WayView(BaseModel):
    """Where a customer stands, and what the next level needs."""

    level: LevelView
    grace_until: date | None = Field(description="the last day of the grace, if too little was bought for the level")
    counted: dict[str, int] = Field(description="what counts in the running window, by name, in whole units")
    next: LevelView | None = Field(description="null on the highest level")
    missing: dict[str, int] = Field(
        description="what the next level needs more, by name: any or all, as the scheme says"
    )
    reached_by: str = Field(description="whether the next level needs `any` or `all` of it")

    @classmethod
    def of(cls, way: Way) -> WayView:
        """The view of a customer's way."""
        return cls(
            level=LevelView.model_validate(way.level),
            grace_until=way.grace_until,
            counted=dict(way.measures),
            next=None if way.next is None else LevelView.model_validate(way.next),
            missing=dict(way.missing),
            reached_by=way.scheme.reached_by,
        )


class TierMoveView(View):
    """A customer had another tier from then on."""

    id: str
    from_tier: str
    to_tier: str
    cause: MoveCause
    measures: dict[str, int]
    scheme: str
    moved_at: datetime
