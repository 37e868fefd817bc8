"""Settings of every process, from environment variables that begin with TONGDUI_ (or a file named by TONGDUI_ENV_FILE)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the operator may set. Durations are seconds, money is micros, gas is gas."""

    model_config = SettingsConfigDict(env_prefix="TONGDUI_", env_file=os.environ.get("TONGDUI_ENV_FILE"))

    database_url: str = "sqlite:///tongdui.db"
    """SQLAlchemy URL; `sqlite:///file` or `postgresql+psycopg://...`."""

    rpc_url: str = "http://127.0.0.1:8545"
    """JSON-RPC endpoint of a chain node."""

    chain_id: int = 31_337
    """The chain that signatures are bound to; checked against the node by every daemon."""

    contract: str = ""
    """Address of the ClearingHouse. Empty until it is deployed."""

    keystore_dir: Path = Path("keys")
    """Directory of the encrypted role keys: operator.json, sequencer.json, treasury.json."""

    keystore_password: SecretStr = SecretStr("")
    """Opens the role keys and the managed merchant keys."""

    currency: str = "CNY"
    utc_offset_seconds: int = 28_800
    """Where the network's day begins; must equal the contract's. Asia/Shanghai has no daylight saving time."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8080
    health_timeout: float = Field(default=2.0, gt=0)
    """How long the gateway waits for the chain node when it is asked how it does; then the node counts as silent."""

    node_patience: float = Field(default=60.0, ge=0)
    """Seconds that the node may be behind what was read from the chain, before the blocks that it has not count as lost."""

    quote_ttl: int = 60
    """How long a quote holds."""
    max_deadline: int = 3_600
    """The furthest deadline an order may have."""
    managed_deadline: int = 600
    """Deadline of orders that the gateway signs with a managed key."""
    queue_limit: int = 20_000
    """Instructions waiting for the chain above which the gateway answers 503."""

    batch_max_instructions: int = 500
    batch_max_gas: int = 15_000_000
    """Below the 16,777,216 gas that Osaka chains allow a transaction."""
    batch_max_bytes: int = 126_000
    """Below the 128 KiB that geth and its kin allow a transaction."""
    batch_max_age: float = 0.02
    """How long the sequencer lets a batch fill up when the queue is not empty."""
    batches_in_flight: int = 4
    confirmations: int = 0
    """Blocks on top of an entry's block before it counts as settled; 0 where blocks are final at once (QBFT)."""
    metrics_port: int | None = None
    """Where this process answers `/metrics`; None is nowhere. Each process needs a port of its own."""
    metrics_host: str = "127.0.0.1"
    start_block: int | None = None
    """Where the projector begins in an empty database; None looks for the block in which the contract was deployed."""
    poll_interval: float = Field(default=0.05, gt=0)
    """How often the sequencer and the projector look for work."""
    resend_after: float = 5.0
    """How long a sent transaction may stay unseen before the same bytes are sent again."""
    max_fee_per_gas: int | None = None
    """Fee ceiling in wei where gas costs money (EIP-1559); None means free gas (gas price 0)."""

    webhook_timeout: float = Field(default=10.0, gt=0)
    """For one attempt, from resolving the name to the answer."""
    webhook_first_retry: float = Field(default=5.0, gt=0)
    """Before the second attempt; each further pause is twice as long, less a random part."""
    webhook_longest_retry: float = 21_600.0
    webhook_rest: float = 300.0
    """The longest that an endpoint which fails time after time is left alone."""
    webhook_give_up_after: float = 259_200.0
    """An event that could not be delivered for so long is given up; three days."""
    webhook_disable_after: float = 432_000.0
    """An endpoint to which nothing could be delivered for so long is disabled; five days."""
    webhook_keep_days: int = 30
    """How long one can look up what became of a delivery."""
    webhook_allow_local: bool = False
    """Allows http://localhost, for development. Never set it where others can register endpoints."""

    hold_longest: int = 604_800
    """The longest that a hold may last."""

    broker_url: str = ""
    """Celery's broker: `redis://...` or `amqp://...`; empty keeps messages in `broker_dir`, for one machine."""
    broker_dir: Path = Path("broker")
    webhook_interval: float = Field(default=1.0, gt=0)
    """How often a worker looks for webhooks to deliver."""
    daily_interval: float = Field(default=300.0, gt=0)
    """How often a worker looks whether the work of a day is due: points expiry, reminders, statements, cleaning up."""
    reconcile_interval: float = Field(default=3_600.0, gt=0)
    idempotency_days: int = Field(default=30, ge=1)
    """How long a request's first answer is kept for its repetitions."""
    liquidity_low_percent: int = 20
    """Of the credit limit: a merchant that can pay less is told."""
    liquidity_critical_percent: int = 5
    liquidity_floor_micros: int = 100_000_000
    """The line for merchants with a small credit limit, or none."""


@lru_cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
