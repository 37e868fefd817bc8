"""The console's settings: environment variables, or the file that TONGDUI_ENV_FILE names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import AnyHttpUrl, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TONGDUI_CONSOLE_"


class Settings(BaseSettings):
    """What can be set. Each field is the variable TONGDUI_CONSOLE_<FIELD>, if nothing else is said."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, use_attribute_docstrings=True)

    gateway_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8080")
    """Where the console reaches the gateway."""
    host: str = "127.0.0.1"
    """Where the console listens."""
    port: int = Field(default=8088, ge=0, le=65_535)
    """The port on which it listens."""
    url: AnyHttpUrl | None = None
    """Where browsers reach the console. By default `http://`, the host and the port. With https, cookies are for https only."""
    public_explorer: bool = Field(default=False, validation_alias="TONGDUI_PUBLIC_EXPLORER")
    """Whether batches, entries and receipts can be seen without signing in."""
    largest_upload: int = Field(default=10_000_000, ge=100_000)
    """Bytes of the largest request, such as a bank's file."""
    audit_nodes: str = ""
    """Addresses of chain nodes, with commas between them, that audits may ask. Without any the console runs no audits."""
    audit_directory: Path | None = None
    """Where audits keep what they have checked, and their reports. Without it the console runs no audits."""
    audits_kept: int = Field(default=20, ge=1)
    """How many audits are kept; the oldest are forgotten first."""

    trusted_proxies: str = Field(default="127.0.0.1", validation_alias="TONGDUI_TRUSTED_PROXIES")
    """Addresses, with commas between them, whose `X-Forwarded-For` is believed: reverse proxies."""

    @field_validator("audit_nodes")
    @classmethod
    def _are_addresses(cls, text: str) -> str:
        for address in addresses_in(text):
            AnyHttpUrl(address)
        return text

    @property
    def audit_addresses(self) -> list[str]:
        """The nodes that audits may ask; none if the console runs no audits."""
        return addresses_in(self.audit_nodes) if self.audit_directory is not None else []

    @property
    def origin(self) -> str:
        """Where browsers reach it, without a path."""
        if self.url is None:
            return f"http://{self.host}:{self.port}"
        return str(self.url).rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by https."""
        return self.origin.startswith("https://")


def addresses_in(text: str) -> list[str]:
    """The addresses in a list with commas."""
    return [address for part in text.split(",") if (address := part.strip())]


class UnknownSettings(Exception):
    """There are no such settings; the message names the variables. A typo must not be silent."""


def load_settings(**given: Any) -> Settings:
    """The settings of the environment; what is given wins. Raises ValidationError and UnknownSettings."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    if unknown := sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known):
        raise UnknownSettings("\n".join(f"{name}: there is no such setting" for name in unknown))
    return Settings(_env_file=os.environ.get("TONGDUI_ENV_FILE"), **given)


def mistakes_of(error: ValidationError) -> str:
    """A line for each wrong setting, which names its variable."""
    lines = []
    for one in error.errors(include_url=False):
        name = str(one["loc"][0])
        variable = name if name.startswith("TONGDUI_") else f"{PREFIX}{name.upper()}"
        lines.append(f"{variable}: {one['msg']}")
    return "\n".join(lines)
