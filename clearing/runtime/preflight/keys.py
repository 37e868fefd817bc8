"""Checks the role keys: are they there, and does the password open them?"""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONDecodeError

from clearing.kit.config import Settings, variable
from clearing.kit.signing.keyring import Keyring, RoleKeys
from clearing.runtime.preflight.refusal import CannotRun

_DIRECTORY, _PASSWORD = variable("keystore_dir"), variable("keystore_password")


def open_role_keys(settings: Settings, needed: Sequence[str]) -> RoleKeys:
    """The role keys. Those that are needed are there and open."""
    if not settings.keystore_password.get_secret_value():
        raise CannotRun(f"{_PASSWORD}: is not set; it encrypts the role keys")
    keys = RoleKeys(settings.keystore_dir, Keyring(settings.keystore_password.get_secret_value()))
    for role in needed:
        _open(keys, role, settings)
    return keys


def existing_roles(settings: Settings, roles: Sequence[str]) -> list[str]:
    """Those of the roles that have a key file."""
    return [role for role in roles if (settings.keystore_dir / f"{role}.json").exists()]


def _open(keys: RoleKeys, role: str, settings: Settings) -> None:
    path = settings.keystore_dir / f"{role}.json"
    try:
        keys.private_key(role)
    except FileNotFoundError:
        raise CannotRun(f"{_DIRECTORY}: there is no key file {path}; `clearing deploy` makes it") from None
    except OSError as error:
        raise CannotRun(f"{_DIRECTORY}: {path} cannot be read: {error.strerror}") from None
    except (JSONDecodeError, KeyError, TypeError):
        raise CannotRun(f"{_DIRECTORY}: {path} is not a key file") from None
    except ValueError:
        raise CannotRun(f"{_PASSWORD}: does not open {path}") from None
