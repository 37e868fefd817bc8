"""Order nonces: leased from the gateway, and bound to idempotency keys, so that one key never signs under two of them."""

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
"""Between a key's nonce being taken and the order being signed, and between this clock and the chain's."""
_FILE_SECONDS = 7 * 86_400
"""How long a row stays at least: processes that share the file may have other deadlines than this one."""


class NonceFile:
    """Which nonce each idempotency key signs with, in a file that outlives the process. Several processes may share it."""

    def __init__(self, path: str | Path, owner: str, deadline_seconds: int = 600) -> None:
        """`owner`: address of the key that signs. Raises sqlite3.Error when the file cannot be used."""
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
        """The nonce that a key signs with, if it ever did."""
        with closing(self._connect()) as file:
            row = file.execute("SELECT nonce FROM nonces WHERE owner = ? AND key = ?", (self._owner, key)).fetchone()
        return row[0] if row else None

    def bind(self, key: str, nonce: int) -> int:
        """Binds a key to a nonce, on disk. Returns what it is bound to now: another process may have been faster.

        A key that is bound already is about to sign again, so its row stays for that order's life, too.
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
        """A connection for one transaction: nothing of it may be shared between threads, or with a forked child."""
        file = sqlite3.connect(self._path, timeout=30)
        file.execute("PRAGMA synchronous = FULL")
        return file


class NonceLease:
    """Nonces that the gateway reserved for this process. Safe to use from many threads: no lock is held while
    waiting."""

    def __init__(
        self,
        block: int,
        file: NonceFile | None = None,
        deadline_seconds: int = 600,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`block`: how many nonces are leased at a time; `deadline_seconds`: how long an order stays good."""
        self.block = block
        self._file = file
        self._keep_seconds = deadline_seconds + _SLACK_SECONDS
        self._now = now
        self._free: deque[int] = deque()
        self._by_key: OrderedDict[str, tuple[int, float]] = OrderedDict()  # and when it was last used, oldest first
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def outlives_process(self) -> bool:
        """Whether a key's nonce is known after a restart, too."""
        return self._file is not None

    def take(self, key: str | None) -> int | None:
        """A nonce that nobody else has, None when the lease is used up.

        The same Idempotency-Key gets the same nonce again, with a file even after a restart, so that of two orders
        signed for it only one can ever take effect.
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
        if key in self._by_key:
            return self._by_key[key][0]
        return self._file.nonce_of(key) if self._file is not None else None

    def _bind(self, key: str, nonce: int) -> int:
        """Binds the key, or keeps it bound: each attempt signs an order with a deadline of its own."""
        bound = self._file.bind(key, nonce) if self._file is not None else nonce
        now = self._now()
        self._by_key[key] = bound, now
        self._by_key.move_to_end(key)
        while next(iter(self._by_key.values()))[1] < now - self._keep_seconds:
            self._by_key.popitem(last=False)
        return bound
