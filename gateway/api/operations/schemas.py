"""The network at work, and what the operator does to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from clearing.kit.fields import Text
from clearing.oversight.reconciliation.models import Scope
from gateway.http.schemas import Body, Hex, View


class ActorView(View):
    """Who did something."""

    id: str = Field(description="a person (`staff:...`), an API key (`key_...`), or a process")
    name: str = Field(description="what people call it")


class PauseCreate(Body):
    """Why sequencing stops."""

    reason: Annotated[
        Text, Field(min_length=1, max_length=200, description="for whoever looks at it later", examples=["audit"])
    ]


class PauseView(View):
    """Who stopped sequencing, and why."""

    actor: ActorView
    reason: str
    since: datetime


class SequencingView(View):
    """Whether orders are put into batches."""

    pause: PauseView | None = Field(description="null while sequencing goes on")


class WaitingOrderView(View):
    """An order that waits for a batch."""

    id: str
    merchant: str
    instructions: int
    created_at: datetime


class QueueView(View):
    """What waits for the sequencer."""

    orders: int
    instructions: int
    calls: int = Field(description="registrations, agreements, limits and money that wait for a transaction")
    oldest_at: datetime | None = Field(description="since when the oldest order waits")
    oldest_orders: list[WaitingOrderView] = Field(description="at most 20, the oldest first")


class InFlightView(View):
    """A signed transaction that is in no block yet."""

    tx_hash: Hex
    sender: str
    nonce: int
    orders: int = Field(description="0 for a privileged call")
    signed_at: datetime
    sent_at: datetime | None


class ProjectorView(View):
    """How far the read model is."""

    is_running: bool
    block_number: int | None
    block_at: datetime | None
    lag_blocks: int | None = Field(description="blocks behind the node; null if the node does not answer")


class NodeView(View):
    """The chain node."""

    is_reachable: bool
    block_number: int | None
    block_at: datetime | None = Field(description="the time of its newest block")
    block_age_seconds: int | None


class ReconciliationView(View):
    """The newest reconciliation."""

    scope: Scope
    block_number: int
    drifts: int = Field(description="how many differences it found; 0 if everything adds up")
    ended_at: datetime


class OperationsView(View):
    """The network at work, as it is now."""

    pause: PauseView | None = Field(description="null while sequencing goes on")
    has_sequencer: bool = Field(description="whether a sequencer runs")
    queue: QueueView
    in_flight: list[InFlightView]
    projector: ProjectorView
    node: NodeView
    reconciliation: ReconciliationView | None
    quarantined_events: int


class QuarantinedEventView(View):
    """A chain event that could not be applied, as it was emitted."""

    block_number: int
    log_index: int
    event: str | None = Field(description="its name in the contract; null where not even that is known")
    tx_hash: Hex
    topics: list[str]
    data: Hex
    error: str
    created_at: datetime


class RetryView(View):
    """What became of the events in quarantine."""

    applied: int
    failed: int
