"""The network itself, and how it does."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from gateway.http.schemas import View


class NetworkView(View):
    """What signatures are bound to, and the network's day."""

    chain_id: int
    contract: str
    currency: str
    utc_offset_seconds: int
    today: date
    rpc_hint: str | None = None


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
