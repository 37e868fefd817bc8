"""The keyrings of a process, one for each purpose. A process has those whose passwords it was given."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.kit.config import Settings
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.signing.passwords import Purpose, passwords_of
from clearing.kit.signing.remote import RemoteSigners


@dataclass(frozen=True, slots=True)
class Keyrings:
    """What is encrypted under each password."""

    managed_keys: ManagedKeys
    webhook_secrets: Keyring
    staff_secrets: Keyring
    mailed_links: Keyring

    @classmethod
    def of(cls, settings: Settings) -> Keyrings:
        """Those of a process with these settings."""
        managed = passwords_of(settings, Purpose.MANAGED_KEYS) if settings.managed_keys else ()
        return cls(
            ManagedKeys(Keyring(*managed), RemoteSigners(settings)),
            *(
                Keyring(*passwords_of(settings, purpose))
                for purpose in (Purpose.WEBHOOK_SECRETS, Purpose.STAFF_SECRETS, Purpose.MAILED_LINKS)
            ),
        )
