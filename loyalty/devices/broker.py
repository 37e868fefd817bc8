"""The files by which a mosquitto broker knows devices: a device's user name is its id, its password the secret of its key."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from collections.abc import Iterable
from hashlib import pbkdf2_hmac
from pathlib import Path
from tempfile import NamedTemporaryFile

_ROUNDS = 101
"""As many as mosquitto_passwd has. A secret has 256 random bits, so more would add nothing."""
_READABLE = 0o640
_RULES = """\
# Written by `loyalty devices mosquitto-files`. A device writes to topics of its own, and the programme reads them.
user {user}
topic read tongdui/+/+/events

pattern write tongdui/+/%u/events
"""


def broker_hash(secret: str) -> str:
    """A secret as mosquitto's password file has it (`$7$`: PBKDF2 with SHA-512)."""
    salt = secrets.token_bytes(12)
    derived = pbkdf2_hmac("sha512", secret.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(derived).decode()}"


def write_files(directory: Path, user: str, password: str, devices: Iterable[tuple[str, str]]) -> None:
    """Writes `passwords` and `acl`, each at once: a broker that reads them meanwhile finds the old ones or the new ones.

    Args:
        directory: Where they stand.
        user: The programme's user.
        password: Its password.
        devices: Ids of devices in use, with the hash of the secret of each.
    """
    known = [(user, broker_hash(password)), *devices]
    _write(directory / "passwords", "".join(f"{name}:{hashed}\n" for name, hashed in known))
    _write(directory / "acl", _RULES.format(user=user))


def _write(path: Path, text: str) -> None:
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made = Path(file.name)
    made.chmod(_READABLE)
    made.replace(path)
