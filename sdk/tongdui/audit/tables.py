"""What an audit remembers: tables that look like dictionaries, can be undone, and lie in a file when they grow.

A table keeps what was used lately in memory and the rest in SQLite. Nothing is durable before `checkpoint`, which writes all
changes in one transaction: a run that stops anywhere can go on from its last checkpoint.
"""

from __future__ import annotations

import copy
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

import cbor2

K = TypeVar("K")
V = TypeVar("V")


class _Absent(Enum):  # a member of an enumeration stays itself, even in a copy
    ABSENT = 0


_ABSENT: Any = _Absent.ABSENT
MOST_IN_MEMORY = 1_000_000
"""Records of all tables together, at some 300 bytes each, before those that are not new leave the memory."""


def _same(value: Any) -> Any:
    return value


class Table(dict[K, V], Generic[K, V]):
    """Records of one kind by their keys: numbers, text, bytes and tuples of them, never changed in place.

    A missing key reads as `default`, if the table has one; a value that equals the default is as good as none. What the dictionary
    itself holds is the part in memory: use `stored` to go through all records, and `get` or `in` only to ask for one.
    """

    __slots__ = ("_default", "_dump", "_load", "_new", "_tables", "name")

    def __init__(
        self, tables: Tables, name: str, default: Any, load: Callable[[Any], V], dump: Callable[[V], Any]
    ) -> None:
        super().__init__()
        self._tables = tables
        self._default = default
        self._load = load
        self._dump = dump
        self._new: set[K] = set()
        self.name = name

    def __missing__(self, key: K) -> V:
        value = self._from_file(key)
        if value is not _ABSENT:
            super().__setitem__(key, value)
            return value  # type: ignore[no-any-return]
        if self._default is _ABSENT:
            raise KeyError(key)
        return self._default  # type: ignore[no-any-return]

    def get(self, key: K, default: Any = None) -> Any:
        """The value of a key, or `default` where none is stored."""
        try:
            value = self[key]
        except KeyError:
            return default
        return default if value == self._default else value

    def __contains__(self, key: object) -> bool:
        return self.get(key, _ABSENT) is not _ABSENT  # type: ignore[arg-type]

    def __setitem__(self, key: K, value: V) -> None:
        undo = self._tables.undo
        if undo is not None:
            undo.append((self, key, super().get(key, _ABSENT), key in self._new))
        self._new.add(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        raise TypeError("store the default instead")

    def __deepcopy__(self, memo: dict[int, Any]) -> Table[K, V]:
        """A copy of a table in memory, for a copy of all tables."""
        copied: Table[K, V] = Table.__new__(Table)
        memo[id(self)] = copied
        dict.update(copied, self)  # records are never changed in place
        copied.name, copied._default, copied._load, copied._dump = self.name, self._default, self._load, self._dump
        copied._new = set(self._new)
        copied._tables = copy.deepcopy(self._tables, memo)
        return copied

    def stored(self) -> Iterator[tuple[K, V]]:
        """All records, in no useful order. Not within an attempt: what it takes back must not be in the file."""
        if self._tables.undo is not None:
            raise RuntimeError(f"the records of {self.name} are wanted within an attempt")
        if not self._tables.has_file:
            yield from ((key, value) for key, value in super().items() if value != self._default)
            return
        self._tables.write_out()
        for key, value in self._tables.scan(self.name):
            yield key, self._load(value)

    # ---------------------------------------------------------------- for Tables

    def put_back(self, key: K, value: Any, was_new: bool) -> None:
        """Undoes one change."""
        if value is _ABSENT:
            self.pop(key, None)
        else:
            super().__setitem__(key, value)
        if not was_new:
            self._new.discard(key)

    def take_new(self) -> Iterator[tuple[K, Any, bool]]:
        """What changed since the last time, as it is stored, and whether it is worth that."""
        for key in self._new:
            value = super().__getitem__(key)
            yield key, self._dump(value), value != self._default
        self._new.clear()

    def _from_file(self, key: K) -> Any:
        found = self._tables.read(self.name, key)
        return found if found is _ABSENT else self._load(found)


class Tables:
    """All tables of one audit, and notes about it. Without a path they are in memory, and in a temporary file when they grow.

    Raises sqlite3.OperationalError where the file is another's at the moment, or cannot be made.
    """

    def __init__(self, path: Path | None = None, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self.undo: list[tuple[Table[Any, Any], Any, Any, bool]] | None = None
        self._all: dict[str, Table[Any, Any]] = {}
        self._most = most_in_memory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._db: sqlite3.Connection | None = None if path is None else _open(path)
        self._notes = self.table("notes")

    def close(self) -> None:
        """Closes the file. What was changed since the last checkpoint is gone."""
        if self._db is not None:
            self._db.rollback()
            self._db.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def table(
        self,
        name: str,
        *,
        default: Any = _ABSENT,
        load: Callable[[Any], Any] = _same,
        dump: Callable[[Any], Any] = _same,
    ) -> Table[Any, Any]:
        """The table of this name, new or as it was at the last checkpoint.

        Args:
            name: A name of its own.
            default: What a missing key reads as. Without one, reading it is an error.
            load: Makes a value of what was stored: numbers, text, bytes, None and tuples of them.
            dump: Makes such a thing of a value.
        """
        if name in self._all:
            raise ValueError(f"there are two tables {name}")
        made: Table[Any, Any] = Table(self, name, default, load, dump)
        self._all[name] = made
        return made

    @contextmanager
    def attempt(self) -> Iterator[Callable[[], None]]:
        """Within, all changes can be taken back by calling what this yields. Attempts may lie within each other."""
        outer, own = self.undo, []  # type: ignore[var-annotated]
        self.undo = own

        def take_back() -> None:
            while own:
                table, key, value, was_new = own.pop()
                table.put_back(key, value, was_new)

        try:
            yield take_back
        finally:
            self.undo = outer
            if outer is not None:
                outer.extend(own)

    def make_space(self) -> None:
        """Call it now and then, between attempts: where too much is in memory, it goes to the file."""
        if sum(len(table) for table in self._all.values()) > self._most:
            self.write_out()
            for table in self._all.values():
                dict.clear(table)

    def checkpoint(self, **notes: Any) -> None:
        """Makes all changes durable, and the notes with them."""
        for name, value in notes.items():
            self._notes[name] = value
        if self._db is not None:
            self.write_out()
            self._db.commit()

    def note(self, name: str) -> Any:
        """A note of the last checkpoint, or None."""
        return self._notes.get(name)

    # ---------------------------------------------------------------- the file

    def is_whole(self) -> bool:
        """Whether nothing has damaged the file."""
        if self._db is None:
            return True
        try:
            return bool(self._db.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False

    @property
    def has_file(self) -> bool:
        """Whether records may lie in a file."""
        return self._db is not None

    def read(self, name: str, key: Any) -> Any:
        """What the file has for a key."""
        if self._db is None:
            return _ABSENT
        found = self._db.execute(
            "SELECT value FROM records WHERE name = ? AND key = ?", (name, _packed(key))
        ).fetchone()
        return _ABSENT if found is None else _unpacked(found[0])

    def scan(self, name: str) -> Iterator[tuple[Any, Any]]:
        """All records of a table in the file, by their encoded keys."""
        assert self._db is not None
        for key, value in self._db.execute("SELECT key, value FROM records WHERE name = ? ORDER BY key", (name,)):
            yield _unpacked(key), _unpacked(value)

    def write_out(self) -> None:
        """Writes what is new to the file, without making it durable."""
        if self._db is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="tongdui-audit-")
            self._db = _open(Path(self._temporary.name) / "state.sqlite")
        for name, table in self._all.items():
            kept, dropped = [], []
            for key, value, worth in table.take_new():
                if worth:
                    kept.append((name, _packed(key), _packed(value)))
                else:
                    dropped.append((name, _packed(key)))
            self._db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", kept)
            self._db.executemany("DELETE FROM records WHERE name = ? AND key = ?", dropped)


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=0)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")  # whoever comes second is refused at once
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(
        "CREATE TABLE IF NOT EXISTS records (name TEXT, key BLOB, value BLOB, PRIMARY KEY (name, key)) WITHOUT ROWID"
    )
    db.commit()
    return db


def _packed(value: Any) -> bytes:
    return cbor2.dumps(value)


def _unpacked(raw: bytes) -> Any:
    """What was packed, with tuples as they were."""
    return _frozen(cbor2.loads(raw))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value
