"""Whether this process and every part of the network work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.http.schemas import View


class LifeView(View):
    """The process answers."""

    status: Literal["ok"] = "ok"


class CheckView(View):
    """Whether one part works, and what it does."""

    ok: bool
    detail: str


class ChecksView(View):
    """A check of each part."""

    database: CheckView
    migrations: CheckView
    chain: CheckView
    sequencer: CheckView
    projector: CheckView
    signer: CheckView = Field(
        description="Whether the calls of operator and treasury are signed; if not, that alone is not `degraded`."
    )
    reconciliation: CheckView = Field(
        description="Whether the last clean reconciliation is recent; if not, that alone is not `degraded`."
    )


class HealthView(View):
    """`degraded` comes with status 503."""

    status: Literal["ok", "degraded"] = Field(examples=["ok"])
    checks: ChecksView
