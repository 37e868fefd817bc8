"""Keys (Ethereum keystore V3) and small secrets that are encrypted under one password."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterator
from threading import Lock

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tongdui.orders import address_of_key

_SCRYPT_N = 2**14
"""Work factor of the keystore's scrypt. It may be low: the password is a long random secret, not a person's choice."""


class Keyring:
    """Keys and secrets under one password. Decrypted keys stay in memory, because scrypt is slow on purpose.

    The first password encrypts; the others only open what was encrypted before the password changed.
    """

    def __init__(self, *passwords: str) -> None:
        self._passwords = passwords
        self._decrypted: dict[str, bytes] = {}
        self._lock = Lock()

    @property
    def is_open(self) -> bool:
        """Whether there is a password."""
        return bool(self._passwords)

    def create(self) -> tuple[str, str]:
        """Creates a key. Returns its address (lower-case) and its encrypted keystore (JSON)."""
        return self.encrypt(secrets.token_bytes(32))

    def encrypt(self, private_key: bytes) -> tuple[str, str]:
        """Encrypts a private key. Returns its address (lower-case) and its keystore (JSON)."""
        from eth_account import Account  # takes a while to import; only keystores need it

        keystore = Account.encrypt(private_key, self._password, kdf="scrypt", iterations=_SCRYPT_N)
        return address_of_key(private_key).lower(), json.dumps(keystore)

    def derive(self, purpose: str) -> bytes:
        """32 bytes that only the password's holder can work out, always the same for one purpose."""
        return _derived(self._password, purpose)

    def derivations(self, purpose: str) -> Iterator[bytes]:
        """The same under each of the passwords, the first one's first."""
        return (_derived(password, purpose) for password in self._passwords)

    def seal(self, purpose: str, secret: bytes) -> str:
        """Encrypts a small secret so that it can be stored (JWE, A256GCM), each time under a key of its own."""
        salt = secrets.token_hex(16)
        return jwe.encrypt_compact(
            {"alg": "dir", "enc": "A256GCM", "kid": salt}, secret, _sealing_key(self._password, purpose, salt)
        )

    def unseal(self, purpose: str, sealed: str) -> bytes:
        """The secret that was sealed for this purpose. Raises ValueError if it was not, or was changed since."""
        for password in self._passwords:
            try:
                return _unsealed(password, purpose, sealed)
            except JoseError:
                continue
        raise ValueError(f"this was not sealed here for {purpose}")

    def private_key(self, keystore: str) -> bytes:
        """The key in `keystore`. Raises ValueError if no password opens it."""
        with self._lock:
            if keystore not in self._decrypted:
                self._decrypted[keystore] = self._decrypt(keystore)
            return self._decrypted[keystore]

    def _decrypt(self, keystore: str) -> bytes:
        from eth_account import Account  # takes a while to import; only keystores need it

        for password in self._passwords[:-1]:
            try:
                return bytes(Account.decrypt(keystore, password))
            except ValueError:
                continue
        return bytes(Account.decrypt(keystore, self._passwords[-1] if self._passwords else ""))

    @property
    def _password(self) -> str:
        if not self._passwords:
            raise ValueError("there is no password for this: nothing can be encrypted or derived")
        return self._passwords[0]


def _derived(password: str, purpose: str) -> bytes:
    return hmac.digest(password.encode(), f"tongdui {purpose}".encode(), "sha256")


def _unsealed(password: str, purpose: str, sealed: str) -> bytes:
    found = jwe.decrypt_compact(
        sealed,
        lambda said: _sealing_key(password, purpose, str(said.headers().get("kid"))),
        algorithms=["dir", "A256GCM"],
    )
    return bytes(found.plaintext or b"")


def _sealing_key(password: str, purpose: str, salt: str) -> OctKey:
    return OctKey.import_key(_derived(password, f"seal {purpose} {salt}"))
