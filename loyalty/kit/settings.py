"""The programme's settings: environment variables that begin with LOYALTY_, or the file that LOYALTY_ENV_FILE names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "LOYALTY_"
_ENV_FILE: Final = "LOYALTY_ENV_FILE"
_SHORTEST_SECRET: Final = 16


_MQTT_PORTS: Final = {"mqtt": 1_883, "mqtts": 8_883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker of devices is."""

    host: str
    port: int
    is_encrypted: bool

    @classmethod
    def of(cls, url: str) -> Broker:
        """The broker that a URL names. Raises ValueError."""
        found = urlsplit(url)
        if found.scheme not in _MQTT_PORTS or not found.hostname or found.username or found.path.strip("/"):
            raise ValueError(
                "a broker's URL is mqtts://HOST or mqtt://HOST, with :PORT behind it if need be, and no more"
            )
        return cls(found.hostname, found.port or _MQTT_PORTS[found.scheme], found.scheme == "mqtts")


class Settings(BaseSettings):
    """What can be set. Each field is the variable LOYALTY_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, use_attribute_docstrings=True)

    database_url: str = "sqlite:///loyalty.db"
    """The programme's own database: `sqlite:///file` or `postgresql+psycopg://...`."""
    host: str = "127.0.0.1"
    """Where `loyalty serve` listens."""
    port: int = Field(default=8090, ge=0, le=65_535)
    """The port on which it listens."""
    timezone: str = "Asia/Shanghai"
    """The merchant's time zone: its days and its nights."""

    staff_secret: SecretStr = SecretStr("")
    """What secrets of staff are encrypted with, 16 characters or more. Without it there are no staff pages."""
    staff_secret_file: Path | None = None
    """The file that has it, in its place."""
    url: AnyHttpUrl | None = None
    """Where browsers reach the pages. By default `http://`, the host and the port. With https, cookies are for https only."""
    session_idle: int = Field(default=1_800, ge=60)
    """Seconds after which a session ends that nobody uses."""
    session_lifetime: int = Field(default=43_200, ge=300)
    """Seconds after which a session ends in any case."""
    customer_secret: SecretStr = SecretStr("")
    """What customers' one-time codes are hashed with, 16 characters or more. Without it there are no pages of customers."""
    customer_secret_file: Path | None = None
    """The file that has it, in its place."""
    customer_session_idle: int = Field(default=2_592_000, ge=60)
    """Seconds after which a customer's session ends that nobody uses."""
    customer_session_lifetime: int = Field(default=15_552_000, ge=300)
    """Seconds after which a customer's session ends in any case."""
    phone_prefix: str = Field(default="+86", pattern=r"^\+[1-9]\d{0,3}$")
    """The country's code of phone numbers that customers type without one."""
    consents_file: Path | None = None
    """The file with the texts of what customers can agree to. Without it they can only withdraw."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses, with commas between them, whose `X-Forwarded-For` is believed: reverse proxies."""
    console_url: AnyHttpUrl | None = None
    """The network's console: pages lead to entries in its explorer."""

    gateway_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8080")
    """Where the network's gateway is."""
    api_key: SecretStr = SecretStr("")
    """The merchant's API key at the gateway (`tdk_...`), with the scopes issue, reverse, members and read."""
    api_key_file: Path | None = None
    """The file that has it, in the place of the key itself."""
    keystore: Path | None = None
    """The file with the merchant's key, as `tongdui key new` writes it. Without it, the gateway signs with a key that it keeps."""
    keystore_password: SecretStr = SecretStr("")
    """Its password."""
    keystore_password_file: Path | None = None
    """The file that has its password, in the place of the password itself."""
    contract: str | None = None
    """The contract that the merchant trusts: nothing is signed for another one."""
    chain_id: int | None = None
    """The chain that the merchant trusts: nothing is signed for another one."""
    rpc_url: str | None = None
    """Nodes of the chain, with commas between them: before it signs, the programme compares with them what the gateway says."""

    order_size: int = Field(default=200, ge=1, le=500)
    """The most wishes that are signed together."""
    order_lifetime: int = Field(default=600, ge=30, le=86_400)
    """Seconds for which a signed order is good."""
    poll_interval: float = Field(default=0.5, gt=0)
    """Seconds between two looks at an order that the chain has not decided, and between two looks for new wishes."""
    lease: int = Field(default=120, ge=10)
    """Seconds after which another sender takes over what one that died has left. Longer than an answer of the gateway takes."""
    longest_pause: int = Field(default=60, ge=1)
    """Seconds: the longest pause before the network is asked again after a failure."""

    channels_file: Path | None = None
    """The file that says by which channels customers are told something; a secret. Without it nobody is told anything."""
    quiet_from: time = time(21)
    """When quiet hours begin, by the merchant's clock: nobody is told anything until they end."""
    quiet_until: time = time(8)
    """When they end. If both are the same, there are none."""
    messages_a_day: int = Field(default=3, ge=1)
    """The most that a customer is told in a day of the merchant's. What is more waits for the next one."""
    messages_a_week: int = Field(default=10, ge=1)
    """The same in seven days."""

    mqtt_url: str = ""
    """The broker of devices: `mqtts://host`, or `mqtt://host` without encryption, with a port if it is another one. Needed by
    `loyalty listen` only."""
    mqtt_user: str = Field(default="loyalty", pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    """The programme's user name there, and the name of its session."""
    mqtt_password: SecretStr = SecretStr("")
    """Its password."""
    mqtt_password_file: Path | None = None
    """The file that has it, in the place of the password itself."""
    mqtt_ca_file: Path | None = None
    """The certificates of authorities whose brokers are trusted; by default the system's."""

    till_mappings: Path | None = None
    """A directory of the merchant's own mappings for till files, as `NAME.toml`."""

    broker_url: str = ""
    """Celery's broker, such as `redis://...`. Needed by `loyalty worker` only."""
    idempotency_days: int = Field(default=30, ge=1)
    """Days for which an Idempotency-Key is remembered."""
    progress_days: int = Field(default=30, ge=1)
    """Days for which it is kept what pumps said on the way; what a fill gave out is kept."""

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone, such as Asia/Shanghai") from None
        return name

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("a database's URL begins with sqlite:/// or postgresql+psycopg://")
        return url

    @field_validator("mqtt_url")
    @classmethod
    def _is_broker(cls, url: str) -> str:
        if url:
            Broker.of(url)
        return url

    @property
    def mqtt_broker(self) -> Broker:
        """The broker of devices. Raises WrongSettings."""
        if not self.mqtt_url:
            raise WrongSettings(f"{PREFIX}MQTT_URL: name the broker, such as mqtts://broker.example")
        return Broker.of(self.mqtt_url)

    @property
    def mqtt_secret(self) -> str:
        """The password at the broker, from wherever it is kept. Raises WrongSettings."""
        return _secret("MQTT_PASSWORD", self.mqtt_password, self.mqtt_password_file)

    @property
    def network_key(self) -> str:
        """The merchant's API key, from wherever it is kept; empty if there is none. Raises WrongSettings."""
        return _secret("API_KEY", self.api_key, self.api_key_file)

    @property
    def origin(self) -> str:
        """Where browsers reach the pages, without a path."""
        return f"http://{self.host}:{self.port}" if self.url is None else str(self.url).rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach them by https."""
        return self.origin.startswith("https://")

    @property
    def staff_password(self) -> str:
        """What secrets of staff are encrypted with, from wherever it is kept; empty if there are no staff pages.

        Raises WrongSettings.
        """
        return _secret("STAFF_SECRET", self.staff_secret, self.staff_secret_file, _SHORTEST_SECRET)

    @property
    def customer_key(self) -> str:
        """What customers' one-time codes are hashed with, from wherever it is kept; empty if there are no pages of customers.

        Raises WrongSettings.
        """
        return _secret("CUSTOMER_SECRET", self.customer_secret, self.customer_secret_file, _SHORTEST_SECRET)

    @property
    def password(self) -> str:
        """The keystore's password, from wherever it is kept. Raises OSError if the file cannot be read."""
        if self.keystore_password_file is not None:
            return self.keystore_password_file.read_text(encoding="utf-8").rstrip("\n")
        return self.keystore_password.get_secret_value()


class WrongSettings(Exception):
    """The settings cannot be meant so; a line for each names its variable."""


def _secret(name: str, given: SecretStr, file: Path | None, shortest: int = 0) -> str:
    """A secret from wherever it is kept; empty if there is none. Raises WrongSettings, also if it is shorter than `shortest`."""
    found = given.get_secret_value()
    if file is not None:
        try:
            found = file.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongSettings(f"{PREFIX}{name}_FILE: {error}") from None
        if not found:
            raise WrongSettings(f"{PREFIX}{name}_FILE: {file} is empty")
    if found and len(found) < shortest:
        detail = f"it has at least {shortest} characters, such as those of `openssl rand -hex 32`"
        raise WrongSettings(f"{PREFIX}{name}: {detail}")
    return found


def load_settings(**given: Any) -> Settings:
    """The settings of the environment; what is given wins. Raises WrongSettings, also for a variable that there is not."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | {_ENV_FILE}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise WrongSettings("\n".join(f"{name}: there is no such setting" for name in unknown))
    try:
        return Settings(_env_file=os.environ.get(_ENV_FILE), **given)
    except ValidationError as error:
        wrong = [f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors(include_url=False)]
        raise WrongSettings("\n".join(wrong)) from error
