"""Whether this process and every part of the network work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.http.schemas import View


class LifeView(View):
    """The process answers."""

    status: Literal["ok"] = "ok"


class CheckView(View):
    """One part."""

    ok: bool
    detail: str


class ChecksView(View):
    """The parts."""

    database: CheckView
    migrations: CheckView
    chain: CheckView
    sequencer: CheckView
    projector: CheckView


class HealthView(View):
    """`degraded` comes with status 503."""

    status: Literal["ok", "degraded"] = Field(examples=["ok"])
    checks: ChecksView
