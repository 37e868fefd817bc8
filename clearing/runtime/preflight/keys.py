"""Which process needs which secrets, and whether it has them: are the role keys there, and do the passwords open them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import JSONDecodeError
from typing import NamedTuple

import structlog

from clearing.kit.config import Settings, SettingsError, variable
from clearing.kit.signing.passwords import Purpose, passwords_of, variable_of
from clearing.kit.signing.role_keys import ROLES, RoleKeys
from clearing.kit.signing.signer import SignerUnavailable
from clearing.pipeline.privileged_calls import SIGNING_ROLES
from clearing.runtime.preflight.refusal import CannotRun

log = structlog.get_logger(__name__)


class Needs(NamedTuple):
    """What a process has to open."""

    roles: tuple[str, ...] = ()
    purposes: tuple[Purpose, ...] = ()


NEEDS: Mapping[str, Needs] = {
    "gateway": Needs(
        purposes=(Purpose.MANAGED_KEYS, Purpose.WEBHOOK_SECRETS, Purpose.STAFF_SECRETS, Purpose.MAILED_LINKS)
    ),
    "sequencer": Needs(roles=("sequencer",)),
    "signer": Needs(roles=SIGNING_ROLES),
    "projector": Needs(),
    "worker": Needs(purposes=(Purpose.WEBHOOK_SECRETS, Purpose.MAILED_LINKS)),
    "rounds": Needs(purposes=(Purpose.MANAGED_KEYS,)),
}
"""By process. A signer needs only the keys of the roles for which it was started."""


def check_secrets(settings: Settings, process: str, roles: Sequence[str] | None = None) -> RoleKeys:
    """Refuses a process without the secrets that it needs, and says which it has for nothing. Its role keys, which open.

    Args:
        settings: The settings of the process.
        process: One of `NEEDS`.
        roles: The roles for which a signer was started.
    """
    needs = NEEDS[process] if roles is None else Needs(roles=tuple(roles))
    for purpose in kept_purposes(settings, needs.purposes):
        if not passwords_of(settings, purpose):
            raise CannotRun(f"{variable_of(purpose)}: is not set; {_given(purpose)}")
    for name in [*ROLES, *Purpose]:
        if name not in (*needs.roles, *needs.purposes) and _has(settings, name):
            log.warning("this process can open what it does not need", process=process, variable=variable_of(name))
    return open_role_keys(settings, needs.roles)


def open_role_keys(settings: Settings, needed: Sequence[str]) -> RoleKeys:
    """The role keys. Those that are needed are there and open."""
    keys = RoleKeys(settings)
    for role in needed:
        _open(keys, role, settings)
    return keys


def existing_roles(settings: Settings, roles: Sequence[str]) -> list[str]:
    """Those of the roles that have a key."""
    keys = RoleKeys(settings)
    return [role for role in roles if keys.has(role)]


def require_managed_keys(settings: Settings) -> None:
    """Refuses to keep a merchant's key that the gateway would not have, or that nothing would encrypt."""
    if not settings.managed_keys:
        raise CannotRun(f"{variable('managed_keys')}: is false, so the gateway keeps no keys of merchants")
    if not passwords_of(settings, Purpose.MANAGED_KEYS):
        raise CannotRun(f"{variable_of(Purpose.MANAGED_KEYS)}: is not set; {_given(Purpose.MANAGED_KEYS)}")


def require_password(settings: Settings, role: str) -> None:
    """Refuses to go on without the password of a role or purpose."""
    if not passwords_of(settings, role):
        raise CannotRun(f"{variable_of(role)}: is not set; {_given(role)}")


def kept_purposes(settings: Settings, purposes: Sequence[Purpose]) -> list[Purpose]:
    """Those of the purposes for which there is anything to keep."""
    return [purpose for purpose in purposes if settings.managed_keys or purpose is not Purpose.MANAGED_KEYS]


def _has(settings: Settings, name: str) -> bool:
    try:
        return bool(passwords_of(settings, name))
    except SettingsError:
        return False  # it cannot read the file, as it should be


def _given(name: str) -> str:
    return f"give a long random secret, or the file that holds it with {variable(f'{name}_password_file')}"


def _open(keys: RoleKeys, role: str, settings: Settings) -> None:
    if keys.reference(role):
        try:
            keys.signer(role)
        except SignerUnavailable as error:
            raise CannotRun(f"{_place(settings, role)}: {error}") from error
        return
    path, place = keys.path(role), _place(settings, role)
    require_password(settings, role)
    try:
        keys.signer(role)
    except FileNotFoundError:
        raise CannotRun(f"{place}: there is no key file {path}; `clearing deploy` makes it") from None
    except OSError as error:
        raise CannotRun(f"{place}: {path} cannot be read: {error.strerror}") from None
    except (JSONDecodeError, KeyError, TypeError):
        raise CannotRun(f"{place}: {path} is not a key file") from None
    except ValueError:
        raise CannotRun(f"{variable_of(role)}: does not open {path}") from None


def _place(settings: Settings, role: str) -> str:
    """The variable that says where the role's key is."""
    return variable(f"{role}_key" if getattr(settings, f"{role}_key") else "keystore_dir")
