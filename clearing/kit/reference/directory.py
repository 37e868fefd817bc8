"""Copies of tables of reference data in this process, one for all sessions of a database. Whoever asks for one gets it as it is in
the session's own transaction: the version says whether the copy is current.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import TableClause, TextClause, UpdateBase, event, select
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction

from clearing.kit.database import Base, Database, shared_of
from clearing.kit.reference.models import ReferenceVersion

D = TypeVar("D")
M = TypeVar("M", bound=Base)

_VERSIONS = "reference_versions"
_tables: set[str] = set()
"""Names of all tables of which there is a copy."""


class _Copy(NamedTuple):
    """A copy, and the versions of the tables that it was made of."""

    versions: tuple[str | None, ...]
    content: Any


class Directory(Generic[D]):
    """A copy of some tables, made by `load`. The rows in it belong to no session: nobody may change them."""

    def __init__(self, tables: Collection[type[Base]], load: Callable[[Session], D]) -> None:
        self._names = [table.__tablename__ for table in tables]
        self._load = load
        _tables.update(self._names)

    def of(self, session: Session) -> D:
        """The copy, as current as the session's transaction: a change that was committed before it began is in it."""
        copies: dict[Directory[Any], _Copy] = shared_of(session).setdefault(Directory, {})
        copy = copies.get(self)
        versions = self._versions(session)
        if copy is None or copy.versions != versions or None in versions:
            # Read right before: so what is loaded is as new as the versions say, or newer, and then the next version replaces it.
            # Older ones might not know of the session's own changes, and others would take those for committed.
            _forget(session)
            versions = self._versions(session)
            copy = copies[self] = _Copy(versions, self._load(session))
        content: D = copy.content
        return content

    def _versions(self, session: Session) -> tuple[str | None, ...]:
        known = _versions_of(session)
        return tuple(known.get(name) for name in self._names)

    def latest(self, database: Database) -> D | None:
        """The copy as this process has last seen it, which may be old; None if it has not looked yet."""
        copy = database.shared.get(Directory, {}).get(self)
        content: D | None = copy.content if copy is not None else None
        return content


def rows_of(session: Session, model: type[M], but: Collection[str] = ()) -> list[M]:
    """All rows of a table, without a session of their own. The columns `but` are missing: they change all the time."""
    columns = [column for column in model.__table__.columns if column.name not in but]
    return [model(**row) for row in session.execute(select(*columns)).mappings()]


def copied_tables() -> frozenset[str]:
    """The names of the tables of which there is a copy: each needs its triggers."""
    return frozenset(_tables)


def _versions_of(session: Session) -> Mapping[str, str]:
    """The versions, read once in each transaction, and again after the transaction has changed something itself."""
    if not session._is_clean() and _changes_a_copied_table(session):
        session.flush()
    known: Mapping[str, str] | None = session.info.get(_VERSIONS)
    if known is None:
        rows = session.execute(select(ReferenceVersion.table_name, ReferenceVersion.version))
        known = session.info[_VERSIONS] = {name: version for name, version in rows}  # noqa: C416 (rows are no pairs to the type checker)
    return known


def _changes_a_copied_table(session: Session) -> bool:
    return any(row.__tablename__ in _tables for row in (*session.new, *session.dirty, *session.deleted))


def _forget(session: Session) -> None:
    session.info.pop(_VERSIONS, None)


def _forget_after_flush(session: Session, _context: UOWTransaction) -> None:
    if _changes_a_copied_table(session):
        _forget(session)


def _forget_before_statement(state: ORMExecuteState) -> None:
    statement = state.statement
    if isinstance(statement, UpdateBase):
        is_change = isinstance(statement.table, TableClause) and statement.table.name in _tables
    else:
        is_change = isinstance(statement, TextClause) and any(name in statement.text for name in _tables)
    if is_change:
        _forget(state.session)


def _forget_after_rollback(session: Session, _transaction: SessionTransaction) -> None:
    _forget(session)


def _forget_after_transaction(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        _forget(session)


event.listen(Session, "after_flush", _forget_after_flush)
event.listen(Session, "do_orm_execute", _forget_before_statement)
event.listen(Session, "after_soft_rollback", _forget_after_rollback)
event.listen(Session, "after_transaction_end", _forget_after_transaction)
