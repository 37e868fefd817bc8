"""The network at work, as the operator and auditors see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tongdui._models import Model


class Actor(Model):
    """Who did something: a person (`staff:...`), an API key (`key_...`) or a process, and what people call it."""

    id: str
    name: str


class Pause(Model):
    """Who stopped sequencing, when, and why."""

    actor: Actor
    reason: str
    since: datetime


class Sequencing(Model):
    """Whether orders are put into batches: `pause` is None while they are."""

    pause: Pause | None = None


class WaitingOrder(Model):
    """An order that waits for a batch."""

    id: str
    merchant: str
    instructions: int
    created_at: datetime


class Queue(Model):
    """What waits for the sequencer. `oldest_orders` are a few of those that have waited longest."""

    orders: int
    instructions: int
    calls: int
    oldest_at: datetime | None = None
    oldest_orders: tuple[WaitingOrder, ...] = ()


class InFlight(Model):
    """A signed transaction that is in no block yet. `orders` is 0 for a privileged call."""

    tx_hash: str
    sender: str
    nonce: int
    orders: int
    signed_at: datetime
    sent_at: datetime | None = None


class Projector(Model):
    """How far the gateway's read model is."""

    is_running: bool
    block_number: int | None = None
    block_at: datetime | None = None
    lag_blocks: int | None = None


class Node(Model):
    """The chain node, and its newest block."""

    is_reachable: bool
    block_number: int | None = None
    block_at: datetime | None = None
    block_age_seconds: int | None = None


class Reconciliation(Model):
    """The newest reconciliation: up to which block, and how many differences it found. `scope` is `full` or `news`."""

    scope: str
    block_number: int
    drifts: int
    ended_at: datetime


class Operations(Model):
    """The network at work, as it is now. `pause` is None while sequencing goes on."""

    pause: Pause | None = None
    has_sequencer: bool
    queue: Queue
    in_flight: tuple[InFlight, ...] = ()
    projector: Projector
    node: Node
    reconciliation: Reconciliation | None = None
    quarantined_events: int


class QuarantinedEvent(Model):
    """A chain event that could not be applied, as it was emitted. `event` is its name, if that is known."""

    block_number: int
    log_index: int
    event: str | None = None
    tx_hash: str
    topics: tuple[str, ...] = ()
    data: str
    error: str
    created_at: datetime


class QuarantineRetry(Model):
    """How many events in quarantine were applied, and how many failed again."""

    applied: int
    failed: int


class Batch(Model):
    """A batch, as the chain closed it. `orders` is None where it was sent past this gateway."""

    number: int
    block_number: int
    block_at: datetime | None = None
    tx_hash: str
    root: str
    head: str
    orders: int | None = None
    entries: int
    gas_used: int


class AuditEntry(Model):
    """What somebody did to the network. `data` says what is new, and what was before."""

    id: str
    at: datetime
    actor: Actor
    type: str
    subject: str
    merchant: str | None = None
    data: Mapping[str, Any] = {}
