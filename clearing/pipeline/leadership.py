"""One leader at a time: a lock that the operating system or the database releases when its holder dies."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from zlib import crc32

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.kit.database import Database, database_file_of, dialect_of

_KEEPALIVES = {"tcp_keepalives_idle": 5, "tcp_keepalives_interval": 2, "tcp_keepalives_count": 3}
"""They let the server notice within some ten seconds that a leader's machine is gone and will not close its connection."""
_IS_LOCKED = text(
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE datname = current_database() AND locktype = 'advisory' AND granted"
    " AND classid = 0 AND objid::bigint = :key)"
)


class Leadership:
    """The right to be the only `name` on a database, or the only one of each of several. Not thread-safe: use one object for each
    daemon."""

    def __init__(self, database: Database, *names: str) -> None:
        self.database = database
        self.names = sorted(names)
        self._connection: Connection | None = None
        self._files: list[TextIOWrapper] = []

    def acquire(self) -> bool:
        """Tries to become the leader, or checks that this process still is. Call it before each step."""
        return self._lock_file() if self.database.is_sqlite else self._lock_database()

    def release(self) -> None:
        """Steps down."""
        for file in self._files:
            file.close()
        self._files.clear()
        if self._connection is not None:
            with suppress(
                SQLAlchemyError
            ):  # otherwise the server releases them when it notices that the connection ended
                self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
            self._connection.close()
            self._connection = None

    def _lock_file(self) -> bool:
        for name in self.names[len(self._files) :]:
            candidate = _file(make_url(self.database.url).database or "", name).open("w")
            self._files.append(candidate)
            try:
                fcntl.flock(candidate, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.release()
                return False
        return True

    def _lock_database(self) -> bool:
        """PostgreSQL's advisory lock lives as long as its connection, so a dead leader's lock is free at once."""
        try:
            if self._connection is None:
                engine = self.database.engine.execution_options(isolation_level="AUTOCOMMIT")
                self._connection = engine.connect()
                self._connection.detach()
                for setting, value in _KEEPALIVES.items():
                    self._connection.execute(text(f"SET {setting} = {value}"))
                return self._try_lock(self._connection)
            self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            self.release()
            return False
        return True

    def _try_lock(self, connection: Connection) -> bool:
        lock = text("SELECT pg_try_advisory_lock(:key)")
        held = all(connection.scalar(lock, {"key": _key(name)}) for name in self.names)
        if not held:
            self.release()
        return held


def has_leader(session: Session, name: str) -> bool:
    """Whether some process is the leader now. To ask does not disturb the leader."""
    if dialect_of(session) == "postgresql":
        return bool(session.scalar(_IS_LOCKED, {"key": _key(name)}))
    return _file_is_locked(_file(database_file_of(session), name))


def _file_is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _key(name: str) -> int:
    return crc32(f"tongdui:{name}".encode())


def _file(database: str, name: str) -> Path:
    return Path(f"{database}.{name}.lock")
