"""The secrets of tests' networks: a password for each role and purpose, none of which opens what another one closed."""

from __future__ import annotations

from pathlib import Path

from clearing.kit.config import Settings, variable
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.passwords import Purpose, variable_of
from clearing.kit.signing.role_keys import ROLES, RoleKeys


def password_of(name: str) -> str:
    """The password of a role or purpose."""
    return f"only-for-tests-of-{name}"


def passwords(*names: str) -> dict[str, str]:
    """Passwords as settings: those of these roles and purposes, or all."""
    return {f"{name}_password": password_of(name) for name in names or (*ROLES, *Purpose)}


def password_variables(*names: str) -> dict[str, str]:
    """The same as environment variables."""
    return {variable_of(name): password_of(name) for name in names or (*ROLES, *Purpose)}


def secret_variables(settings: Settings, *names: str) -> dict[str, str]:
    """What a process is given of a network's secrets: where the keys are, and these passwords, or all."""
    return {variable("keystore_dir"): str(settings.keystore_dir), **password_variables(*names)}


def role_keys(directory: Path) -> RoleKeys:
    """Role keys in a directory."""
    return RoleKeys(Settings.model_validate({"keystore_dir": directory, **passwords(*ROLES)}))


def keyrings() -> Keyrings:
    """The keyrings of every purpose."""
    return Keyrings.of(Settings.model_validate(passwords(*Purpose)))
