"""Order nonces: leased from the gateway and bound to idempotency keys, so that one key never signs under two nonces."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ._models import NonceBlock

_SLACK_SECONDS = 3_600
"""Allows for the time between taking a nonce and signing, and for the difference between this clock and the chain's."""
_FILE_SECONDS = 7 * 86_400
"""The least time that a row stays: processes that share the file may have longer deadlines than this one."""


class NonceFile:
    """The nonce of each idempotency key, in a file that outlives the process. Several processes may share it."""

    def __init__(self, path: str | Path, owner: str, deadline_seconds: int = 600) -> None:
        """Open the file, or create it.

        Args:
            path: Where the file is.
            owner: Address of the key that signs.
            deadline_seconds: How long this process's orders stay valid.

        Raises:
            sqlite3.Error: The file cannot be used.
        """
        self._path = Path(path).absolute()
        self._owner = owner.lower()
        with closing(self._connect()) as file, file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS nonces (owner TEXT, key TEXT, nonce INTEGER NOT NULL, at REAL NOT NULL,"
                " PRIMARY KEY (owner, key)) WITHOUT ROWID"
            )
            keep = max(_FILE_SECONDS, deadline_seconds + _SLACK_SECONDS)
            file.execute("DELETE FROM nonces WHERE at < ?", (time.time() - keep,))

    def nonce_of(self, key: str) -> int | None:
        """The nonce that a key signs with, or None when it has not signed yet."""
        with closing(self._connect()) as file:
            row = file.execute("SELECT nonce FROM nonces WHERE owner = ? AND key = ?", (self._owner, key)).fetchone()
        return row[0] if row else None

    def bind(self, key: str, nonce: int) -> int:
        """Bind a key to a nonce, on disk.

        A key that is bound already is about to sign again, so its row stays for the lifetime of that order too.

        Args:
            key: The Idempotency-Key.
            nonce: The nonce to bind it to.

        Returns:
            The nonce that it is bound to now: another process may have been faster.
        """
        with closing(self._connect()) as file, file:
            file.execute(
                "INSERT INTO nonces VALUES (?, ?, ?, ?) ON CONFLICT (owner, key) DO UPDATE SET at = excluded.at",
                (self._owner, key, nonce, time.time()),
            )
        found = self.nonce_of(key)
        assert found is not None
        return found

    def _connect(self) -> sqlite3.Connection:
        """Connect for one transaction. No connection may be shared between threads, or with a forked child."""
        file = sqlite3.connect(self._path, timeout=30)
        file.execute("PRAGMA synchronous = FULL")
        return file


class NonceLease:
    """Nonces that the gateway reserved for this process. Many threads may use it: no lock is held while waiting."""

    def __init__(
        self,
        block: int,
        file: NonceFile | None = None,
        deadline_seconds: int = 600,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with an empty lease.

        Args:
            block: How many nonces to lease at a time.
            file: Where to keep bindings beyond this process.
            deadline_seconds: How long an order stays valid.
            now: The clock, in seconds.
        """
        self.block = block
        self._file = file
        self._keep_seconds = deadline_seconds + _SLACK_SECONDS
        self._now = now
        self._free: deque[int] = deque()
        self._by_key: OrderedDict[str, tuple[int, float]] = OrderedDict()  # with the time of its last use, oldest first
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def outlives_process(self) -> bool:
        """Whether a key's nonce is still known after a restart."""
        return self._file is not None

    def take(self, key: str | None) -> int | None:
        """Take a nonce that nobody else has.

        The same Idempotency-Key gets the same nonce again, with a file even after a restart. Of two orders signed for
        one key, only one can ever take effect.

        Args:
            key: The caller's Idempotency-Key, if it has one.

        Returns:
            The nonce, or None when the lease is used up.
        """
        with self._lock:
            if self._process != os.getpid():  # a forked child must not sign with its parent's nonces
                self._free.clear()
                self._process = os.getpid()
            nonce = self._bound(key) if key is not None else None
            if nonce is None and self._free:
                nonce = self._free.popleft()
            return self._bind(key, nonce) if key is not None and nonce is not None else nonce

    def add(self, block: NonceBlock) -> None:
        """Append a leased block."""
        with self._lock:
            self._free.extend(range(block.first, block.first + block.count))

    def drop(self) -> None:
        """Give up the lease, which turned out not to be ours. The next order takes a nonce from a fresh block.

        Keys stay bound to their nonces: a gateway that calls a nonce used may have used it for the very order that it
        refuses.
        """
        with self._lock:
            self._free.clear()

    def _bound(self, key: str) -> int | None:
        if key in self._by_key:
            return self._by_key[key][0]
        return self._file.nonce_of(key) if self._file is not None else None

    def _bind(self, key: str, nonce: int) -> int:
        """Bind the key, or renew the binding: each attempt signs an order with a deadline of its own."""
        bound = self._file.bind(key, nonce) if self._file is not None else nonce
        now = self._now()
        self._by_key[key] = bound, now
        self._by_key.move_to_end(key)
        while next(iter(self._by_key.values()))[1] < now - self._keep_seconds:
            self._by_key.popitem(last=False)
        return bound
