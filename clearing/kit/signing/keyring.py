"""Opens encrypted keys (Ethereum keystore V3) and signs with them. A KMS or a remote signer would take this class's place."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from threading import Lock

from eth_account import Account

from tongdui.orders import address_of_key, sign_digest

_SCRYPT_N = 2**14
"""Work factor of the keystore's scrypt. The password is a long random secret of the deployment, not something a person chose."""


class Keyring:
    """Keys under one password. Opened keys stay in memory: opening one is slow on purpose."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._opened: dict[str, bytes] = {}
        self._lock = Lock()

    def create(self) -> tuple[str, str]:
        """A new key: its address (lower-case) and its encrypted keystore (JSON)."""
        return self.encrypt(secrets.token_bytes(32))

    def encrypt(self, private_key: bytes) -> tuple[str, str]:
        """Address (lower-case) and encrypted keystore (JSON) of a private key."""
        if not self._password:
            raise ValueError("TONGDUI_KEYSTORE_PASSWORD is empty: managed keys cannot be encrypted")
        keystore = Account.encrypt(private_key, self._password, kdf="scrypt", iterations=_SCRYPT_N)
        return address_of_key(private_key).lower(), json.dumps(keystore)

    def sign(self, keystore: str, digest: bytes) -> bytes:
        """Compact signature (64 bytes) of `digest` with the key in `keystore`."""
        return sign_digest(digest, self.private_key(keystore))

    def private_key(self, keystore: str) -> bytes:
        """The key in `keystore`. Raises ValueError when the password does not open it."""
        with self._lock:
            if keystore not in self._opened:
                self._opened[keystore] = bytes(Account.decrypt(keystore, self._password))
            return self._opened[keystore]


class RoleKeys:
    """The network operator's own keys, one file a role: operator, sequencer, treasury, admin."""

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._directory = directory
        self._keyring = keyring

    def private_key(self, role: str) -> bytes:
        """The role's key. Raises FileNotFoundError when there is none."""
        return self._keyring.private_key(self._path(role).read_text())

    def address(self, role: str) -> str:
        """The role's address, lower-case."""
        return address_of_key(self.private_key(role)).lower()

    def ensure(self, role: str) -> str:
        """Makes the role's key if there is none yet; its address. A half-written file is never left behind."""
        path = self._path(role)
        if not path.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_suffix(".new")
            draft.write_text(self._keyring.create()[1])
            draft.chmod(0o600)
            draft.rename(path)
        return self.address(role)

    def _path(self, role: str) -> Path:
        return self._directory / f"{role}.json"
