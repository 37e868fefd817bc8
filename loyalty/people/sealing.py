"""Secrets that have to be read again, encrypted under a secret of the settings: whoever has the database alone has nothing."""

from __future__ import annotations

import hmac
import secrets

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey


class Seal:
    """Encrypts and decrypts small secrets (JWE, A256GCM), each under a key of its own that only its purpose leads to."""

    def __init__(self, password: str) -> None:
        assert password, "without a password nothing is sealed"
        self._password = password.encode()

    def close(self, purpose: str, secret: bytes) -> str:
        """The secret, encrypted so that it can be kept."""
        salt = secrets.token_hex(16)
        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM", "kid": salt}, secret, self._key(purpose, salt))

    def open(self, purpose: str, sealed: str) -> bytes:
        """The secret that was sealed for this purpose. Raises ValueError if it was not, or with another password."""
        try:
            found = jwe.decrypt_compact(
                sealed, lambda said: self._key(purpose, str(said.headers().get("kid"))), algorithms=["dir", "A256GCM"]
            )
        except JoseError:
            raise ValueError(f"this was not sealed here for {purpose}: is LOYALTY_STAFF_SECRET another one?") from None
        return bytes(found.plaintext or b"")

    def _key(self, purpose: str, salt: str) -> OctKey:
        return OctKey.import_key(hmac.digest(self._password, f"loyalty {purpose} {salt}".encode(), "sha256"))
