"""The programme's database: SQLite embedded, PostgreSQL in production. Whoever opens a session decides when it commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import from_json, to_json
from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    Index,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    cast,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from loyalty.kit.clock import Clock

T = TypeVar("T")
_MIGRATIONS = Path(__file__).parents[1] / "migrations"
_CLOCK = "clock"

Big = BigInteger().with_variant(Integer, "sqlite")
"""64 bits, signed: points, nonces, numbers of blocks."""


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back; a moment without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Python to database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Database to Python."""
        return value if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


class Base(DeclarativeBase):
    """Base of every table. Names of constraints say table, columns and purpose, because a person meets them in an error."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_unique",
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {datetime: Moment}  # noqa: RUF012 (SQLAlchemy's own declaration)


def chosen(kind: type[StrEnum]) -> Enum:
    """A column for a value of an enumeration, kept as text: a new value needs no migration."""
    return Enum(kind, native_enum=False, length=16, values_callable=lambda all_of_it: [one.value for one in all_of_it])


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows for which a condition is true."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


class Database:
    """An engine, its clock, and sessions on it."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = url
        self.clock = clock or Clock()
        self.is_sqlite = url.startswith("sqlite")
        given = {_CLOCK: self.clock}
        patience: dict[str, Any] = {"timeout": 30} if self.is_sqlite else {"connect_timeout": 10}
        self.engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args=patience,
            execution_options=given,
            json_serializer=json_text,
            json_deserializer=from_json,
        )
        if self.is_sqlite:
            event.listen(self.engine, "connect", _open_file)
            event.listen(self.engine, "begin", _begin)
        self.session = sessionmaker(self.engine, expire_on_commit=False, info=given)
        self.reading = sessionmaker(
            self.engine.execution_options(reads=True, postgresql_readonly=True), expire_on_commit=False, info=given
        )
        """Sessions that only look. On SQLite they wait for no writer."""

    def migrate(self) -> None:
        """Brings the schema to the newest revision. Safe to repeat."""
        from alembic import command  # takes a while to import; only migrations need it
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def revision(self) -> str | None:
        """The schema's revision; None without a schema."""
        with self.engine.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def newest_revision() -> str:
    """The revision that this release needs: migrations are numbered."""
    return max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def clock_of(session: Session) -> Clock:
    """The clock of the session's database."""
    clock: Clock = session.info[_CLOCK]
    return clock


def time_of_insert(context: DefaultExecutionContext) -> datetime:
    """Default of a column: the moment at which the row is written, by its database's clock."""
    clock: Clock = context.execution_options[_CLOCK]
    return clock.now()


def lock(session: Session, name: str) -> None:
    """Lets nobody else hold this name until the transaction ends. On SQLite the transaction itself is the only one that writes."""
    if is_postgresql(session):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def lock_all(session: Session, names: Iterable[str]) -> None:
    """The same for several names, held in their order, by one statement."""
    wanted = sorted({*names})
    if wanted and is_postgresql(session):
        named = func.unnest(cast(literal(wanted, ARRAY(Text)), ARRAY(Text))).table_valued("name")
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(named.c.name, 0)))).all()


def is_postgresql(session: Session) -> bool:
    """Whether the session's database is PostgreSQL; else it is SQLite."""
    return session.get_bind().dialect.name == "postgresql"


def in_pieces(things: Iterable[T], size: int) -> Iterable[list[T]]:
    """The things, at most so many at a time: for queries that name each."""
    piece: list[T] = []
    for thing in things:
        piece.append(thing)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece


class Written(str):
    """A value of a JSON column that somebody has written as JSON already."""

    __slots__ = ()


def json_text(value: Any) -> str:
    """A value of a JSON column: pydantic's writer takes a third of the time of Python's own."""
    return value if isinstance(value, Written) else to_json(value).decode()


def _open_file(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # so that `_begin` is the only one who begins
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Any) -> None:
    """A transaction that writes takes the lock at once: SQLite may refuse to give it later."""
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
