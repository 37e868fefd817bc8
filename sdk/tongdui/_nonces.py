"""Order nonces: leased from the gateway, and bound to idempotency keys, so that one key never signs under two of them."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from contextlib import closing
from pathlib import Path

from ._models import NonceBlock

_REMEMBERED = 10_000
_KEEP_SECONDS = 7 * 86_400
"""Longer than any order stays good: after its deadline nobody can bring it to the chain."""


class NonceFile:
    """Which nonce each idempotency key signs with, in a file that outlives the process. Several processes may share it."""

    def __init__(self, path: str | Path, owner: str) -> None:
        """`owner`: address of the key that signs. Raises sqlite3.Error when the file cannot be used."""
        self._path = Path(path).absolute()
        self._owner = owner.lower()
        with closing(self._connect()) as file, file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS nonces (owner TEXT, key TEXT, nonce INTEGER NOT NULL, at REAL NOT NULL,"
                " PRIMARY KEY (owner, key)) WITHOUT ROWID"
            )
            file.execute("DELETE FROM nonces WHERE at < ?", (time.time() - _KEEP_SECONDS,))

    def nonce_of(self, key: str) -> int | None:
        """The nonce that a key signs with, if it ever did."""
        with closing(self._connect()) as file:
            row = file.execute("SELECT nonce FROM nonces WHERE owner = ? AND key = ?", (self._owner, key)).fetchone()
        return row[0] if row else None

    def bind(self, key: str, nonce: int) -> int:
        """Binds a key to a nonce, on disk. Returns what it is bound to now: another process may have been faster."""
        with closing(self._connect()) as file, file:
            file.execute(
                "INSERT INTO nonces VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (self._owner, key, nonce, time.time())
            )
        found = self.nonce_of(key)
        assert found is not None
        return found

    def _connect(self) -> sqlite3.Connection:
        """A connection for one transaction: nothing of it may be shared between threads, or with a forked child."""
        file = sqlite3.connect(self._path, timeout=30)
        file.execute("PRAGMA synchronous = FULL")
        return file


class NonceLease:
    """Nonces that the gateway reserved for this process. Safe to use from many threads: no lock is held while
    waiting."""

    def __init__(self, block: int, file: NonceFile | None = None) -> None:
        self.block = block
        self._file = file
        self._free: deque[int] = deque()
        self._by_key: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        self._process = os.getpid()

    def take(self, key: str | None) -> int | None:
        """A nonce that nobody else has, None when the lease is used up.

        The same Idempotency-Key gets the same nonce again, with a file even after a restart, so that of two orders
        signed for it only one can ever take effect.
        """
        with self._lock:
            if self._process != os.getpid():  # a forked child must not sign with its parent's nonces
                self._free.clear()
                self._process = os.getpid()
            bound = self._bound(key) if key is not None else None
            if bound is not None or not self._free:
                return bound
            nonce = self._free.popleft()
            return self._bind(key, nonce) if key is not None else nonce

    def add(self, block: NonceBlock) -> None:
        """Puts a leased block at the end."""
        with self._lock:
            self._free.extend(range(block.first, block.first + block.count))

    def drop(self) -> None:
        """The lease turned out not to be ours: the next order takes a nonce from a fresh block.

        What keys are bound to stays: whoever says that a nonce is used may have used it for the very order that it
        refuses.
        """
        with self._lock:
            self._free.clear()

    def _bound(self, key: str) -> int | None:
        nonce = self._by_key.get(key)
        if nonce is None and self._file is not None:
            nonce = self._file.nonce_of(key)
        return nonce

    def _bind(self, key: str, nonce: int) -> int:
        bound = self._file.bind(key, nonce) if self._file is not None else nonce
        self._by_key[key] = bound
        if len(self._by_key) > _REMEMBERED:
            self._by_key.popitem(last=False)
        return bound
