"""What a full reconciliation has worked out so far, in a file of its own: its memory stays small, and a killed one goes on.

The file is SQLite whatever the network's database is, and nothing in it is worth keeping once the reconciliation is over.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Collection, Mapping
from io import TextIOWrapper
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from zlib import crc32

from clearing.kit.config import Settings, variable
from clearing.ledger.accounts.repository import AccountKey

_TABLES = """
CREATE TABLE IF NOT EXISTS progress (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balances (
    address TEXT NOT NULL, program INTEGER NOT NULL, points TEXT NOT NULL, PRIMARY KEY (address, program)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS used_nonces (
    merchant INTEGER NOT NULL, nonce INTEGER NOT NULL, PRIMARY KEY (merchant, nonce)
) WITHOUT ROWID;
"""
_KEYS = "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)"
_LAST = ("\x7f", 0)
"""Behind every account."""


def scratch_file(settings: Settings) -> Path:
    """Where the scratch of this network's full reconciliations is, in a directory that only we can read."""
    directory = settings.scratch_dir or Path(gettempdir()) / f"tongdui-{os.getuid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to somebody else; name another one with {variable('scratch_dir')}")
    network = crc32(f"{settings.contract}{settings.database_url}".encode())
    return directory / f"reconciliation-{network:08x}.db"


class ScratchInUse(Exception):
    """Another reconciliation has the scratch file."""


class ScratchRepository:
    """Balances and used nonces according to the chain's events, and how far the reconciliation is."""

    def __init__(self, path: Path) -> None:
        """Raises ScratchInUse where another reconciliation has the file."""
        self._path = path
        self._lock = _locked(path)
        try:
            self._connection = _opened(path)
        except sqlite3.OperationalError:  # the disk is full, perhaps: that is no reason to throw it away
            self._lock.close()
            raise
        except sqlite3.DatabaseError:  # a power cut may have spoilt it: it begins anew
            path.write_bytes(b"")  # and stays the file that is locked
            self._connection = _opened(path)

    def close(self) -> None:
        """Closes the file, and lets others have it."""
        self._connection.close()
        self._lock.close()

    def remove(self) -> None:
        """Deletes the file. It is still locked, so nobody else can have begun to use it."""
        self._connection.close()
        for suffix in ("", "-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def progress(self) -> dict[str, Any] | None:
        """How far the reconciliation is; None where it has not begun."""
        row = self._connection.execute("SELECT content FROM progress").fetchone()
        return json.loads(row[0]) if row is not None else None

    def commit(self, progress: Mapping[str, Any]) -> None:
        """Keeps all that was written, and how far it is, together."""
        self._connection.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (json.dumps(progress),))
        self._connection.commit()

    def roll_back(self) -> None:
        """Forgets what was written since the last commit."""
        self._connection.rollback()

    def clear(self) -> None:
        """Forgets everything."""
        for table in ("progress", "balances", "used_nonces"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 (our own names)
        self._connection.commit()

    def add_balances(self, changes: Mapping[AccountKey, int]) -> None:
        """Adds a change to each balance. The numbers are text: they may have more than 63 bits."""
        before = self.balances(changes)
        rows = [(*account, str(before.get(account, 0) + change)) for account, change in changes.items()]
        self._connection.executemany("INSERT OR REPLACE INTO balances VALUES (?, ?, ?)", rows)

    def balances(self, accounts: Collection[AccountKey]) -> dict[AccountKey, int]:
        """The balances of these accounts, where there are any."""
        query = f"SELECT address, program, points FROM balances WHERE (address, program) IN ({_KEYS})"  # noqa: S608
        rows = self._connection.execute(query, (json.dumps(list(accounts)),))
        return {(address, program): int(points) for address, program, points in rows}

    def balances_between(self, after: AccountKey | None, up_to: AccountKey | None) -> dict[AccountKey, int]:
        """The balances of all accounts behind one key, up to another, which belongs to them."""
        rows = self._connection.execute(
            "SELECT address, program, points FROM balances WHERE (address, program) > (?, ?) AND (address, program) <= (?, ?)",
            (*(after or ("", 0)), *(up_to or _LAST)),
        )
        return {(address, program): int(points) for address, program, points in rows}

    def use(self, nonces: Collection[tuple[int, int]]) -> None:
        """Notes that these merchants' nonces were used up."""
        self._connection.executemany("INSERT OR IGNORE INTO used_nonces VALUES (?, ?)", list(nonces))

    def used(self, nonces: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
        """Those of these merchants' nonces that were used up."""
        query = f"SELECT merchant, nonce FROM used_nonces WHERE (merchant, nonce) IN ({_KEYS})"  # noqa: S608
        return set(self._connection.execute(query, (json.dumps(list(nonces)),)))


def _locked(path: Path) -> TextIOWrapper:
    """The file, locked for as long as it is open. The operating system gives it free when its holder dies."""
    while True:
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ScratchInUse(
                f"another full reconciliation is using {path}; wait until it ends, or name another file"
            ) from None
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()  # whoever had it before has just deleted it


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(_TABLES)
    return connection
