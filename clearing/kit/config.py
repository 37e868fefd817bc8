"""The settings of every process: environment variables that begin with TONGDUI_, or the file that TONGDUI_ENV_FILE names."""

from __future__ import annotations

import os
from datetime import timedelta
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "TONGDUI_"
ENV_FILE = f"{PREFIX}ENV_FILE"
OF_CLIENTS = frozenset(
    f"{PREFIX}{name}"
    for name in ("URL", "API_KEY", "KEY", "KEYSTORE", "KEYSTORE_PASSWORD", "NONCE_FILE", "PROFILE", "SHARED_DATA")
)
"""Variables that the SDK and the tests read: an operator may have them in the same shell."""
OF_CONSOLE = f"{PREFIX}CONSOLE_"
"""How the console's own settings begin. It says itself what is wrong with them."""

DATABASE_URL = r"^(sqlite:///|postgresql\+psycopg://)."
DATABASE_URL_SHOULD = "must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


class SettingsError(Exception):
    """Settings that no process can run with: one sentence a line, each of which names the variable."""


class Settings(BaseSettings):
    """What the operator may set. Durations are in seconds, amounts of money in micros."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    database_url: str = Field(default="sqlite:///tongdui.db", pattern=DATABASE_URL)
    """SQLAlchemy URL; `sqlite:///file` or `postgresql+psycopg://...`."""

    rpc_url: str = Field(default="http://127.0.0.1:8545", pattern=r"^https?://[^,]+(, *https?://[^,]+)*$")
    """JSON-RPC endpoint of a chain node; or of several, separated by commas, the preferred one first."""

    rpc_timeout: float = Field(default=30.0, gt=0)
    """How long a daemon waits for a node's answer before it asks the next one, or gives up for now."""

    rpc_connect_timeout: float = Field(default=5.0, gt=0)
    """How long it waits for a connection."""

    block_quorum: int = Field(default=1, ge=1)
    """How many of the nodes must have a block before it counts."""

    public_rpc_url: str = Field(default="", pattern=r"^(https?://[^@\s]+)?$")
    """JSON-RPC endpoint that everybody may use, offered to browsers that check a receipt. Empty: they name one of their own."""

    chain_id: int = Field(default=31_337, ge=1)
    """The chain to which signatures are bound. Every daemon checks that its node follows this chain."""

    contract: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40})?$")
    """Address of the ClearingHouse. Empty until it is deployed."""

    predecessors: str = Field(default="", pattern=r"^(0x[0-9a-fA-F]{40}@\d+(,0x[0-9a-fA-F]{40}@\d+)*)?$")
    """Contracts whose place this one took, on the same chain, oldest first: each address, `@`, and the last block in which its
    events count, separated by commas. `clearing succeed` prints it."""

    anvil: str = Field(default="anvil", min_length=1)
    """The program that `clearing up` runs as its chain: a name on PATH, or a path."""

    keystore_dir: Path = Path("keys")
    """Directory of the encrypted role keys that have no place of their own: admin.json, operator.json and so on."""

    admin_key: str = ""
    """The key of the contract's owner, if its file is not in `keystore_dir`: another path; `web3signer:0x...` or `awskms:...`,
    where somebody else keeps it; or its address alone, for those who only need that. Likewise below."""
    admin_password: SecretStr = SecretStr("")
    admin_password_file: Path | None = None
    """The file whose first line is the password; further lines open what was encrypted before it changed. Likewise below."""
    operator_key: str = ""
    """Onboards merchants, programs and agreements."""
    operator_password: SecretStr = SecretStr("")
    operator_password_file: Path | None = None
    pauser_key: str = ""
    """Stops the contract."""
    pauser_password: SecretStr = SecretStr("")
    pauser_password_file: Path | None = None
    sequencer_key: str = ""
    """Sends batches."""
    sequencer_password: SecretStr = SecretStr("")
    sequencer_password_file: Path | None = None
    treasury_key: str = ""
    """Books deposits and withdrawals."""
    treasury_password: SecretStr = SecretStr("")
    treasury_password_file: Path | None = None

    web3signer_url: str = Field(default="", pattern=r"^(https?://.+)?$")
    """The Web3Signer that keeps keys of roles or merchants."""
    web3signer_ca: Path | None = None
    """Certificates of those who may vouch for it (PEM). Empty: the system's."""
    web3signer_certificate: Path | None = None
    """What shows the Web3Signer who we are: a certificate and its key (PEM)."""
    aws_kms_region: str = ""
    """The region of keys in AWS KMS. Empty: as boto3 finds it."""
    aws_kms_endpoint: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Where AWS KMS is. Empty: at AWS."""
    signer_timeout: float = Field(default=5.0, gt=0)
    """How long to wait for a signature of a key that is elsewhere."""

    managed_keys: bool = True
    """Whether the gateway keeps keys of merchants and signs with them. If not, every merchant signs for itself."""
    managed_keys_password: SecretStr = SecretStr("")
    managed_keys_password_file: Path | None = None
    webhook_secrets_password: SecretStr = SecretStr("")
    """Seals the secrets with which requests to merchants' endpoints are signed."""
    webhook_secrets_password_file: Path | None = None
    staff_secrets_password: SecretStr = SecretStr("")
    """Seals the secrets of people's apps for one-time codes."""
    staff_secrets_password_file: Path | None = None
    mailed_links_password: SecretStr = SecretStr("")
    """Links in mails are derived from it."""
    mailed_links_password_file: Path | None = None

    currency: str = "CNY"
    utc_offset_seconds: int = 28_800
    """How far ahead of UTC the network's day begins; must equal the contract's. Asia/Shanghai has no daylight saving time."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=0, le=65_535)
    gateway_workers: int = Field(default=1, ge=1, le=64)
    """How many processes of the gateway share its port. Each has its own connections to the database."""
    public_explorer: bool = False
    """Whether batches, entries, receipts and the network can be read without a credential, as on the chain."""
    rate_limit_url: str = Field(default="", pattern=r"^(rediss?://.*)?$")
    """The Redis in which all processes of the gateway count requests together. Empty: each process counts for itself."""
    rate_limit_reads: int = Field(default=30_000, ge=0)
    """Reads of one thing that a key or a person may send in a minute; 0, here and below: as many as it likes."""
    rate_limit_lists: int = Field(default=6_000, ge=0)
    """Reads of lists, exports and overviews."""
    rate_limit_writes: int = Field(default=30_000, ge=0)
    """Requests that change something; an order of many instructions is one."""
    rate_limit_streams: int = Field(default=120, ge=0)
    """Streams of events opened."""
    rate_limit_open: int = Field(default=300, ge=0)
    """Requests from one address that need no credential, such as signing in. Tries at passwords have a limit of their own."""
    rate_limit_public: int = Field(default=600, ge=0)
    """Requests from one address to the public explorer."""
    rate_limit_failures: int = Field(default=60, ge=0)
    """Requests from one address whose credential nobody knows."""
    stream_seconds: float = Field(default=900.0, gt=0)
    """How long a stream of events lasts; then the client connects again."""
    read_timeout: float = Field(default=10.0, gt=0)
    """How long a statement may take with which the gateway reads a list; then the request is refused (504)."""
    health_timeout: float = Field(default=2.0, gt=0)
    """How long a health check waits for the chain node before it reports the node as silent."""

    longest_block_time: float = Field(default=0.0, ge=0)
    """How old the chain's newest block may be before the chain counts as standing still; 0 where blocks are made only when there is
    something for them."""
    node_patience: float = Field(default=60.0, ge=0)
    """How long a node may lack blocks that we have already read before we take those blocks for lost."""

    minimum_fee_bps: int = Field(default=0, ge=0, le=10_000)
    """The least fee that the operator takes of an agreement's settlements, in basis points. Agreements on the chain keep theirs."""
    quote_ttl: int = 60
    """How long a quote lasts."""
    max_deadline: int = 3_600
    """How far in the future an order's deadline may lie."""
    managed_deadline: int = 600
    """How far in the future the gateway sets the deadline of an order that it signs with a managed key."""
    queue_limit: int = Field(default=20_000, ge=1)
    """As many instructions may wait for the chain. Of them no merchant may have more than it leaves free for the others."""

    batch_max_instructions: int = Field(default=1_000, ge=1)
    batch_max_gas: int = Field(default=15_000_000, ge=1)
    """Less than the 16,777,216 gas that chains since Osaka allow a transaction."""
    batch_max_bytes: int = Field(default=126_000, ge=1)
    """Less than the 128 KiB that geth and its relatives allow a transaction."""
    batch_max_age: float = 0.1
    """How long orders wait for others to share a batch with, while an earlier batch is on its way."""
    batches_in_flight: int = Field(default=4, ge=1)
    confirmations: int = Field(default=0, ge=0)
    """Blocks that must lie on top of an entry's block before the entry counts as settled; 0 where blocks are final (QBFT)."""
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """Where this process serves `/metrics`; None serves none. Each process needs a port of its own; the gateway's workers take
    this one and those after it."""
    metrics_host: str = "127.0.0.1"
    start_block: int | None = None
    """Where the projector begins in an empty database; None means the block that deployed the contract."""
    poll_interval: float = Field(default=1.0, gt=0)
    """How often sequencer, signer and projector look for work when nothing wakes them."""
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

    staff_session_lifetime: int = Field(default=43_200, ge=60)
    """How long a person stays signed in, however busy."""
    staff_session_idle: int = Field(default=7_200, ge=60)
    """A person who does nothing for so long is signed out."""
    staff_require_totp: bool = False
    """Whether people of the operator and the treasury need one-time codes. Set it wherever there is real money."""
    console_url: str = Field(default="http://127.0.0.1:8088", pattern=r"^https?://[^/]+(/.*)?$")
    """Where people find the console: links in mails lead there."""
    oidc_issuer: str = Field(default="", pattern=r"^(https://.+|http://(localhost|127\.0\.0\.1)(:\d+)?(/.*)?)?$")
    """Another issuer (OpenID Connect) at which people may sign in who work here already. Empty: passwords only."""
    oidc_name: str = Field(default="", max_length=60)
    """How the button calls it on the page on which people sign in. Empty: by its host."""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")

    smtp_host: str = ""
    """The server that sends the network's mails. If it is empty, no mails are sent, and whoever invites gets the link."""
    smtp_port: int = Field(default=587, ge=1, le=65_535)
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` asks for encryption first, `tls` begins with it; `none` is for a server on the same machine."""
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_timeout: float = Field(default=20.0, gt=0)
    """How long to wait for each answer of that server."""
    mail_from: str = "Tongdui <no-reply@tongdui.local>"
    mail_interval: float = Field(default=5.0, gt=0)
    """How often a worker looks for mails to send."""
    mail_first_retry: float = Field(default=30.0, gt=0)
    """The pause before a mail's second attempt; each further pause is twice as long, less a random part, up to an hour."""
    mail_give_up_after: float = 86_400.0
    """After so long a mail is given up; a day."""

    trusted_proxies: str = "127.0.0.1"
    """Addresses, with commas between them, whose `X-Forwarded-For` is believed: the console and reverse proxies."""

    approval_lifetime: int = Field(default=86_400, ge=60)
    """How long a second person has to approve what the first one asks for; a day."""

    hold_longest: int = 604_800
    """How long a hold may last."""

    broker_url: str = Field(default="", pattern=r"^((rediss?|redis\+socket|sentinel|amqps?|pyamqp)://.*)?$")
    """Celery's broker: `redis://...` or `amqp://...`. If it is empty, messages are files in `broker_dir`: for one machine only."""
    broker_dir: Path = Path("broker")
    webhook_interval: float = Field(default=1.0, gt=0)
    """How often a worker looks for webhooks to deliver."""
    daily_interval: float = Field(default=300.0, gt=0)
    """How often a worker checks whether daily work is due: points expiry, reminders, statements, cleaning up."""
    reconcile_interval: float = Field(default=3_600.0, gt=0)
    """How often what has changed is reconciled."""
    reconcile_full_interval: float = Field(default=86_400.0, gt=0)
    """How often everything is."""
    reconcile_alarm_after: float | None = Field(default=None, gt=0)
    """Without a clean reconciliation for so long there is an alarm; None means three intervals."""
    scratch_dir: Path | None = None
    """Where a full reconciliation keeps what it has worked out so far; None means a directory for temporary files."""
    idempotency_days: int = Field(default=30, ge=1)
    """How long the first answer to a request is kept, to be repeated."""
    event_keep_days: int = Field(default=400, ge=31)
    """How long the events of movements, holds and member codes are kept. All other events stay."""
    hold_keep_days: int = Field(default=400, ge=31)
    """How long a hold can be looked up after its end."""
    transaction_keep_days: int = Field(default=30, ge=1)
    """How long the bytes of a transaction are kept that is in a block."""
    liquidity_low_percent: int = 20
    """Percent of the credit limit: a merchant that can pay less is notified."""
    liquidity_critical_percent: int = 5
    liquidity_floor_micros: int = 100_000_000
    """The threshold for merchants with a small credit limit, or none."""

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """The endpoint of each node, the preferred one first."""
        return tuple(url.strip() for url in self.rpc_url.split(","))

    @property
    def sends_mail(self) -> bool:
        """Whether there is a server that sends mails."""
        return bool(self.smtp_host)

    @property
    def longest_without_reconciliation(self) -> timedelta:
        """For so long the network may go without a clean reconciliation."""
        return timedelta(seconds=self.reconcile_alarm_after or 3 * self.reconcile_interval)

    @property
    def longest_without_full_reconciliation(self) -> timedelta:
        """For so long it may go without a clean one of everything: as many intervals."""
        intervals = self.longest_without_reconciliation.total_seconds() / self.reconcile_interval
        return timedelta(seconds=intervals * self.reconcile_full_interval)


RATE_LIMITS = tuple(
    name for name in Settings.model_fields if name.startswith("rate_limit_") and name != "rate_limit_url"
)
"""Settings that limit how often somebody may ask. 0 lifts a limit."""


@lru_cache
def settings() -> Settings:
    """The process's settings, read once. Raises SettingsError."""
    return load_settings()


def load_settings(**given: Any) -> Settings:
    """Reads the settings; what is `given` wins over the environment, and that over the file. Raises SettingsError."""
    path = os.environ.get(ENV_FILE)
    if path and not Path(path).is_file():
        raise SettingsError(f"{ENV_FILE}: there is no file {path}")
    faults = [_unknown(name) for name in sorted(os.environ) if name.startswith(PREFIX) and not _is_known(name)]
    try:
        found = Settings(_env_file=path or None, **given)
    except ValidationError as error:
        raise SettingsError("\n".join([*faults, *(_sentence(fault) for fault in error.errors())])) from error
    faults += _missing(found) + _given_twice(found)
    if faults:
        raise SettingsError("\n".join(faults))
    return found


# -------------------------------------------------------------------- what is wrong, in sentences

_SHOULD = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
}
_PATTERNS = {
    "database_url": DATABASE_URL_SHOULD,
    "rpc_url": "must begin with http:// or https://; several are separated by commas",
    "public_rpc_url": "must begin with http:// or https://, and have no password in it: everybody sees it",
    "contract": "must be an address: 0x and 40 hexadecimal digits",
    "predecessors": "must be addresses, each with @ and a number of a block: 0x...@123,0x...@456",
    "web3signer_url": "must begin with http:// or https://",
    "aws_kms_endpoint": "must begin with http:// or https://",
    "console_url": "must begin with http:// or https://",
    "oidc_issuer": "must begin with https://, or http://localhost",
    "broker_url": "must begin with redis:// or amqp://",
    "rate_limit_url": "must begin with redis:// or rediss://",
}
_MAY_HOLD_PASSWORDS = frozenset({"database_url", "rpc_url", "broker_url", "rate_limit_url", "web3signer_url"})
"""Settings that are addresses, and may contain a password."""


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def _missing(found: Settings) -> list[str]:
    """What is not set, although something that is set needs it."""
    together = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
    given = [field for field in together if _text(getattr(found, field))]
    if not given:
        return []
    absent = [field for field in together if field not in given]
    return [
        f"{variable(field)}: is not set, but {variable(given[0])} is; signing in there takes both" for field in absent
    ]


def _given_twice(found: Settings) -> list[str]:
    """Passwords that both a variable and a file give."""
    names = [name.removesuffix("_password_file") for name in Settings.model_fields if name.endswith("_password_file")]
    return [
        f"{variable(f'{name}_password')}: is set, and {variable(f'{name}_password_file')} too; take one of them away"
        for name in names
        if _text(getattr(found, f"{name}_password")) and getattr(found, f"{name}_password_file") is not None
    ]


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _is_known(name: str) -> bool:
    if name in OF_CLIENTS or name == ENV_FILE or name.startswith(OF_CONSOLE):
        return True
    return name.removeprefix(PREFIX).lower() in Settings.model_fields


def _unknown(name: str) -> str:
    """A typo must not be silent: the network would run with a default in the place of what the operator set."""
    near = get_close_matches(name, [variable(field) for field in Settings.model_fields], n=1)
    return f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _sentence(fault: ErrorDetails) -> str:
    field = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":  # only from the file: the environment may hold what is not ours
        return _unknown(field.upper())
    known = _SHOULD.get(fault["type"])
    should = _PATTERNS.get(field) or (known.format(**fault.get("ctx", {})) if known else fault["msg"])
    is_secret = field in _MAY_HOLD_PASSWORDS or Settings.model_fields[field].annotation is SecretStr
    shown = "" if is_secret else f', this is "{fault["input"]}"'
    return f"{variable(field)}: {should}{shown}"
