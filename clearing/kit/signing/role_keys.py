"""The network operator's own keys: one for each role, each in a file with a password of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

from clearing.kit.config import Settings
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.passwords import passwords_of
from clearing.kit.signing.remote import RemoteSigners, is_reference
from clearing.kit.signing.signer import LocalSigner, Signer

ROLES = ("admin", "operator", "pauser", "sequencer", "treasury")
"""Every role that has a key."""


class RoleKeys:
    """The keys of the roles whose passwords this process has."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._remote = RemoteSigners(settings)
        self._signers: dict[str, Signer] = {}

    def signer(self, role: str) -> Signer:
        """What signs for the role. Raises FileNotFoundError if there is no key, ValueError if the password does not open it, and
        SignerUnavailable if somebody else keeps it and does not say so."""
        if role not in self._signers:
            reference = self.reference(role)
            self._signers[role] = self._remote.signer(reference) if reference else LocalSigner(self.private_key(role))
        return self._signers[role]

    def private_key(self, role: str) -> bytes:
        """The role's key. Raises as `signer` does."""
        return self._keyring(role).private_key(self.path(role).read_text())

    def address(self, role: str) -> str:
        """The role's address, lower-case. It is no secret: the file says it without its password."""
        if role in self._signers or self.reference(role):
            return self.signer(role).address
        return f"0x{json.loads(self.path(role).read_text())['address']}".lower()

    def has(self, role: str) -> bool:
        """Whether there is a key of the role."""
        return bool(self.reference(role)) or self.path(role).exists()

    def reference(self, role: str) -> str:
        """Where the role's key is, if it is no file."""
        own: str = getattr(self._settings, f"{role}_key")
        return own if is_reference(own) else ""

    def ensure(self, role: str) -> str:
        """Creates the role's key unless there is one, and returns its address. Never leaves a half-written file behind."""
        if not self.has(role):
            write_key_file(self.path(role), self._keyring(role).create()[1])
        return self.address(role)

    def path(self, role: str) -> Path:
        """Where the role's key file is."""
        own: str = getattr(self._settings, f"{role}_key")
        return Path(own) if own else self._settings.keystore_dir / f"{role}.json"

    def _keyring(self, role: str) -> Keyring:
        return Keyring(*passwords_of(self._settings, role))


def write_key_file(path: Path, keystore: str) -> None:
    """Writes a key file as a whole, even if the machine loses its power; only its owner may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        file.write(keystore)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
