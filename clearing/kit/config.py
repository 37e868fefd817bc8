"""The settings of every process: environment variables that begin with TONGDUI_, or the file that TONGDUI_ENV_FILE names."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the operator may set. Durations are in seconds, amounts of money in micros."""

    model_config = SettingsConfigDict(env_prefix="TONGDUI_", env_file=os.environ.get("TONGDUI_ENV_FILE"))

    database_url: str = "sqlite:///tongdui.db"
    """SQLAlchemy URL; `sqlite:///file` or `postgresql+psycopg://...`."""

    rpc_url: str = "http://127.0.0.1:8545"
    """JSON-RPC endpoint of a chain node."""

    chain_id: int = 31_337
    """The chain to which signatures are bound. Every daemon checks that its node follows this chain."""

    contract: str = ""
    """Address of the ClearingHouse. Empty until it is deployed."""

    keystore_dir: Path = Path("keys")
    """Directory of the encrypted role keys: admin.json, operator.json, sequencer.json, treasury.json."""

    keystore_password: SecretStr = SecretStr("")
    """Decrypts the role keys and the merchants' managed keys."""

    currency: str = "CNY"
    utc_offset_seconds: int = 28_800
    """How far ahead of UTC the network's day begins; must equal the contract's. Asia/Shanghai has no daylight saving time."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8080
    health_timeout: float = Field(default=2.0, gt=0)
    """How long a health check waits for the chain node before it reports the node as silent."""

    node_patience: float = Field(default=60.0, ge=0)
    """How long a node may lack blocks that we have already read before we take those blocks for lost."""

    quote_ttl: int = 60
    """How long a quote lasts."""
    max_deadline: int = 3_600
    """How far in the future an order's deadline may lie."""
    managed_deadline: int = 600
    """How far in the future the gateway sets the deadline of an order that it signs with a managed key."""
    queue_limit: int = 20_000
    """With more instructions than this waiting for the chain, the gateway answers 503."""

    batch_max_instructions: int = 500
    batch_max_gas: int = 15_000_000
    """Less than the 16,777,216 gas that chains since Osaka allow a transaction."""
    batch_max_bytes: int = 126_000
    """Less than the 128 KiB that geth and its relatives allow a transaction."""
    batch_max_age: float = 0.02
    """How long the sequencer waits for a batch to fill up while there are orders in the queue."""
    batches_in_flight: int = 4
    confirmations: int = 0
    """Blocks that must lie on top of an entry's block before the entry counts as settled; 0 where blocks are final (QBFT)."""
    metrics_port: int | None = None
    """Where this process serves `/metrics`; None serves none. Each process needs a port of its own."""
    metrics_host: str = "127.0.0.1"
    start_block: int | None = None
    """Where the projector begins in an empty database; None means the block that deployed the contract."""
    poll_interval: float = Field(default=0.05, gt=0)
    """How often the sequencer and the projector look for work."""
    resend_after: float = 5.0
    """How long a transaction may be missing from every block before the same bytes are sent again."""
    max_fee_per_gas: int | None = None
    """The most that a unit of gas may cost, in wei (EIP-1559); None means that gas is free (gas price 0)."""

    webhook_timeout: float = Field(default=10.0, gt=0)
    """For one attempt, from resolving the host name to the end of the response."""
    webhook_first_retry: float = Field(default=5.0, gt=0)
    """The pause before the second attempt; each further pause is twice as long, less a random part."""
    webhook_longest_retry: float = 21_600.0
    webhook_rest: float = 300.0
    """The longest pause that an endpoint gets after repeated failures."""
    webhook_give_up_after: float = 259_200.0
    """After so long a delivery is given up; three days."""
    webhook_disable_after: float = 432_000.0
    """An endpoint that has received nothing for so long is disabled; five days."""
    webhook_keep_days: int = 30
    """How long the outcome of a delivery can be looked up."""
    webhook_allow_local: bool = False
    """Allows http://localhost, for development. Never set this where others can register endpoints."""

    hold_longest: int = 604_800
    """How long a hold may last."""

    broker_url: str = ""
    """Celery's broker: `redis://...` or `amqp://...`. If it is empty, messages are files in `broker_dir`: for one machine only."""
    broker_dir: Path = Path("broker")
    webhook_interval: float = Field(default=1.0, gt=0)
    """How often a worker looks for webhooks to deliver."""
    daily_interval: float = Field(default=300.0, gt=0)
    """How often a worker checks whether daily work is due: points expiry, reminders, statements, cleaning up."""
    reconcile_interval: float = Field(default=3_600.0, gt=0)
    idempotency_days: int = Field(default=30, ge=1)
    """How long the first answer to a request is kept, to be repeated."""
    liquidity_low_percent: int = 20
    """Percent of the credit limit: a merchant that can pay less is notified."""
    liquidity_critical_percent: int = 5
    liquidity_floor_micros: int = 100_000_000
    """The threshold for merchants with a small credit limit, or none."""


@lru_cache
def settings() -> Settings:
    """This process's settings, read once."""
    return Settings()
