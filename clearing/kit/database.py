"""The database: engine, sessions, declarative base, column types. Whoever opens a session decides when it commits."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    TypeDecorator,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from clearing.kit.clock import SYSTEM_CLOCK, Clock, carried

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_index",
    "uq": "%(table_name)s_%(column_0_N_name)s_unique",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
"""Names say table, columns and what is protected, because a person meets them in an error: `orders_merchant_nonce_unique`."""

BigInt = BigInteger().with_variant(Integer, "sqlite")
"""64 bits, signed. SQLite only auto-increments INTEGER."""

Hash = LargeBinary(32)


_LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code for a lock that nobody gave in time."""
_MIGRATION_PATIENCE_MS = 5_000
_REVISION = text("SELECT version_num FROM alembic_version").columns(version_num=String)
_WAITS_FOR_STANDBY = text(
    "SELECT current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') IN "
    "('on', 'remote_write', 'remote_apply')"
)
_MIGRATIONS = Path(__file__).parents[1] / "migrations"


class CannotUpgrade(Exception):
    """The schema is of a version that this one cannot upgrade; the message is that of the migrations."""


class Big(TypeDecorator[int]):
    """Integers of more than 63 bits (points are uint64, positions int96): NUMERIC on PostgreSQL, text on SQLite."""

    impl = Numeric(39, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The database's own type."""
        return dialect.type_descriptor(String(40) if dialect.name == "sqlite" else Numeric(39, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Python to database."""
        if value is None or dialect.name != "sqlite":
            return value
        return str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Database to Python."""
        return None if value is None else int(value)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC. Refuses naive values; adds the zone to what SQLite returns, which has no time zones."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The database's own type."""
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Python to database."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Database to Python."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def choice(kind: type[StrEnum]) -> Enum:
    """A column that holds one value of an enumeration, as text; a new value needs no migration."""
    return Enum(
        kind, native_enum=False, create_constraint=False, length=16, values_callable=lambda _: [m.value for m in kind]
    )


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows that satisfy a condition. A query must say the condition in the same words to use it on SQLite."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


class Base(DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant}  # noqa: RUF012 (SQLAlchemy's own declaration)


class Database:
    """An engine and the sessions on it."""

    def __init__(self, url: str, *, clock: Clock = SYSTEM_CLOCK, echo: bool = False) -> None:
        self.url = url
        self.clock = clock
        self.engine: Engine = create_engine(
            url,
            echo=echo,
            hide_parameters=True,
            execution_options=carried(clock),
            **_engine_options(url),
        )
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_immediate)
        else:
            event.listen(self.engine, "connect", _configure_postgresql)
            event.listen(self.engine, "checkin", _note_use)
            event.listen(self.engine, "checkout", partial(_probe_idle, self.engine.dialect))
        self.shared: dict[Any, Any] = {}
        """What all sessions share in this process: `shared_of` finds it."""
        info = {**carried(clock), _SHARED: self.shared}
        self.session = sessionmaker(self.engine, expire_on_commit=False, info=info)
        read_only: dict[str, Any] = {"read_only": True, "postgresql_readonly": True}
        self.reading = sessionmaker(self.engine.execution_options(**read_only), expire_on_commit=False, info=info)
        """Sessions that cannot write. On SQLite they need not wait for the writer."""
        steady = read_only if self.is_sqlite else {**read_only, "isolation_level": "REPEATABLE READ"}
        self.snapshot = sessionmaker(self.engine.execution_options(**steady), expire_on_commit=False, info=info)
        """The same; all statements of a transaction see the database as it was at the first one."""

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.startswith("sqlite")

    def upgrade(self, revision: str = "head") -> None:
        """Migrates the schema to the newest revision, or to that one. Safe to repeat, and beside processes that work: it waits for
        a table for some seconds only, because whatever comes after it would wait, too.

        Raises:
            CannotUpgrade: The schema is of another version, or a table is in use.
        """
        from alembic import command  # takes a while to import; only migrations need it
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            try:
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_MIGRATION_PATIENCE_MS}")
                command.upgrade(config, revision)
            except CommandError as error:
                raise CannotUpgrade(str(error)) from error
            except OperationalError as error:
                if not is_lock_timeout(error):
                    raise
                raise CannotUpgrade(
                    "a table is in use by a long transaction; nothing was changed: run it again"
                ) from error
            connection.commit()

    def probe(self) -> None:
        """Asks for nothing, to see whether the database answers."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def waits_for_standby(self) -> bool:
        """Whether PostgreSQL says that something is committed only when a standby has got it, too."""
        with self.reading() as session:
            return bool(session.scalar(_WAITS_FOR_STANDBY))

    def revision(self) -> str | None:
        """The schema's revision; None if there is no schema yet."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(_REVISION).scalar_one_or_none()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def is_lock_timeout(error: Exception) -> bool:
    """Whether a statement failed because it waited too long for a lock."""
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


@cache
def newest_revision() -> str:
    """The revision that this version of the program needs: migrations are numbered."""
    return max(path.stem.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def is_later(revision: str) -> bool:
    """Whether a schema is of a later version of the program: that leaves this one what it needs, until all are upgraded."""
    return revision.isdecimal() and int(revision) > int(newest_revision())


_SHARED = "shared"


def shared_of(session: Session) -> dict[Any, Any]:
    """What all sessions of the session's database share in this process."""
    shared: dict[Any, Any] = session.info[_SHARED]
    return shared


def dialect_of(session: Session) -> str:
    """`sqlite` or `postgresql`."""
    return session.get_bind().dialect.name


def database_file_of(session: Session) -> str:
    """The file of the session's database, which is SQLite."""
    return session.get_bind().engine.url.database or ""


_LIVELINESS = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's parameters: a server whose machine is gone, which closes no connection, is noticed within some ten seconds. Otherwise a
process would wait for its answer for two hours, whoever has taken the server's place. What the URL says goes first."""


def liveliness(url: URL) -> dict[str, int]:
    """Parameters for connections to PostgreSQL that the URL leaves open."""
    return {name: value for name, value in _LIVELINESS.items() if name not in url.query}


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": 30}}
    return {"pool_size": 20, "max_overflow": 20, "pool_use_lifo": True, "connect_args": liveliness(make_url(url))}


_IDLE_SECONDS = 1.0
"""A connection that somebody has used less than this ago is taken to be good."""


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _probe_idle(dialect: Dialect, connection: Any, record: Any, _proxy: Any) -> None:
    """Replaces a connection that was lost while nobody used it. To probe each one at each use would cost a round trip a session."""
    used = record.info.get("used")
    if used is None or time.monotonic() - used < _IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _configure_postgresql(connection: Any, _record: Any) -> None:
    """Nothing that we ask is worth compiling: a list that takes 5 ms took 260 ms, because it might have looked at much more."""
    connection.execute("SET jit = off")
    connection.commit()


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # so that the BEGIN below is the only one
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    """Takes the write lock at once: SQLite may refuse to upgrade a read lock later (`database is locked`)."""
    reads = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
