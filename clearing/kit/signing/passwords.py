"""The passwords of a process: one for each role's key, and one for each purpose for which the network keeps secrets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from clearing.kit.config import Settings, SettingsError, variable


class Purpose(StrEnum):
    """What the network keeps sealed, or derives, under a password of its own."""

    MANAGED_KEYS = "managed_keys"
    """The signer keys that the gateway keeps for merchants."""
    WEBHOOK_SECRETS = "webhook_secrets"
    """What signs the requests to merchants' endpoints."""
    STAFF_SECRETS = "staff_secrets"
    """The secrets of people's apps for one-time codes, and of signing in at another issuer."""
    MAILED_LINKS = "mailed_links"
    """Links with which people accept invitations and choose new passwords."""


def variable_of(name: str) -> str:
    """The variable that holds the password of a role or purpose."""
    return variable(f"{name}_password")


def passwords_of(settings: Settings, name: str) -> tuple[str, ...]:
    """The passwords of a role or purpose; none if nobody gave one.

    What is new is encrypted under the first; the others, one a line of the file, only open. Raises SettingsError where the file
    cannot be read.
    """
    path: Path | None = getattr(settings, f"{name}_password_file")
    if path is None:
        given: str = getattr(settings, f"{name}_password").get_secret_value()
        return (given,) if given else ()
    name_of_file = variable(f"{name}_password_file")
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{name_of_file}: {path} cannot be read: {why}") from None
    found = tuple(line for line in lines if line)
    if not found:
        raise SettingsError(f"{name_of_file}: {path} is empty; its first line is the password")
    return found
