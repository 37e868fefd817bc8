"""Decrypts keys (Ethereum keystore V3) and signs with them. A KMS or a remote signer would replace `Keyring`."""

from __future__ import annotations

import hmac
import json
import secrets
from pathlib import Path
from threading import Lock

from eth_account import Account
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tongdui.orders import address_of_key, sign_digest

_SCRYPT_N = 2**14
"""Work factor of the keystore's scrypt. It may be low: the password is a long random secret, not a person's choice."""


class Keyring:
    """Keys under one password. Decrypted keys stay in memory, because scrypt is slow on purpose."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._decrypted: dict[str, bytes] = {}
        self._lock = Lock()

    def create(self) -> tuple[str, str]:
        """Creates a key. Returns its address (lower-case) and its encrypted keystore (JSON)."""
        return self.encrypt(secrets.token_bytes(32))

    def encrypt(self, private_key: bytes) -> tuple[str, str]:
        """Encrypts a private key. Returns its address (lower-case) and its keystore (JSON)."""
        if not self._password:
            raise ValueError("TONGDUI_KEYSTORE_PASSWORD is empty: managed keys cannot be encrypted")
        keystore = Account.encrypt(private_key, self._password, kdf="scrypt", iterations=_SCRYPT_N)
        return address_of_key(private_key).lower(), json.dumps(keystore)

    def derive(self, purpose: str) -> bytes:
        """32 bytes that only the password's holder can work out, always the same for one purpose."""
        if not self._password:
            raise ValueError("TONGDUI_KEYSTORE_PASSWORD is empty: nothing can be derived from it")
        return hmac.digest(self._password.encode(), f"tongdui {purpose}".encode(), "sha256")

    def seal(self, purpose: str, secret: bytes) -> str:
        """Encrypts a small secret so that it can be stored (JWE, A256GCM), each time under a key of its own."""
        salt = secrets.token_hex(16)
        return jwe.encrypt_compact(
            {"alg": "dir", "enc": "A256GCM", "kid": salt}, secret, self._sealing_key(purpose, salt)
        )

    def unseal(self, purpose: str, sealed: str) -> bytes:
        """The secret that was sealed for this purpose. Raises ValueError if it was not, or was changed since."""
        try:
            found = jwe.decrypt_compact(
                sealed,
                lambda said: self._sealing_key(purpose, str(said.headers().get("kid"))),
                algorithms=["dir", "A256GCM"],
            )
        except JoseError as error:
            raise ValueError(f"this was not sealed here for {purpose}") from error
        return bytes(found.plaintext or b"")

    def _sealing_key(self, purpose: str, salt: str) -> OctKey:
        return OctKey.import_key(self.derive(f"seal {purpose} {salt}"))

    def sign(self, keystore: str, digest: bytes) -> bytes:
        """The compact signature (64 bytes) of `digest` by the key in `keystore`."""
        return sign_digest(digest, self.private_key(keystore))

    def private_key(self, keystore: str) -> bytes:
        """The key in `keystore`. Raises ValueError if the password is wrong."""
        with self._lock:
            if keystore not in self._decrypted:
                self._decrypted[keystore] = bytes(Account.decrypt(keystore, self._password))
            return self._decrypted[keystore]


class RoleKeys:
    """The network operator's own keys, one file per role: operator, sequencer, treasury, admin."""

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._directory = directory
        self._keyring = keyring

    def private_key(self, role: str) -> bytes:
        """The role's key. Raises FileNotFoundError if there is none."""
        return self._keyring.private_key(self._path(role).read_text())

    def address(self, role: str) -> str:
        """The role's address, lower-case."""
        return address_of_key(self.private_key(role)).lower()

    def has(self, role: str) -> bool:
        """Whether there is a key of the role."""
        return self._path(role).exists()

    def ensure(self, role: str) -> str:
        """Creates the role's key unless there is one, and returns its address. Never leaves a half-written file behind."""
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
