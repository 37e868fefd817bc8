"""Approvals: what waits for a second person, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from clearing.kit.fields import Text
from clearing.oversight.approvals.models import ApprovalState, ChangeKind
from gateway.api.operations.schemas import ActorView
from gateway.http.schemas import Body, View

Reason = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=500,
        description="why: the second person reads it, and it stays in the audit log",
        examples=["bank statement of 26 November, line 14"],
    ),
]


class ApprovalDecline(Body):
    """Why not."""

    reason: Reason


class ApprovalView(View):
    """What one person has asked for, and another one approves or declines."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret", "code", "link"})

    id: str
    object: Literal["approval"] = "approval"
    kind: ChangeKind
    state: ApprovalState
    merchant: str | None = Field(description="the merchant that it concerns; null: the network itself")
    change: dict[str, Any] = Field(description="what was asked for")
    before: dict[str, Any] = Field(description="the values that it replaces")
    after: dict[str, Any] = Field(description="the values that take their place")
    reason: str
    maker: ActorView = Field(description="who asked")
    is_yours: bool = Field(description="whether you asked: then another person has to decide")
    created_at: datetime
    expires_at: datetime = Field(description="unapproved, it ends then")
    decided_by: ActorView | None
    decided_at: datetime | None
    decision_reason: str = Field(description="why it was declined")
    result: str | None = Field(description="the id of what came of it, such as a deposit's")
    is_pending: bool = Field(description="whether the chain has yet to confirm what came of it")
    secret: str | None = Field(
        default=None, description="for whoever asks for an API key: it opens nothing until the key is approved"
    )
    code: str | None = Field(
        default=None,
        description="for whoever asks for an invitation, where the network sends no mail: hand it to whoever is invited",
    )
    link: str | None = Field(
        default=None,
        description="for whoever approves an invitation, where the network sends no mail: hand it to whoever is invited",
    )
