"""Wake-ups come after the commit, to every process, and outlive the connection that brings them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel, notify
from clearing.kit.wakeups.listener import listening
from tests.gateway.site import until


@pytest.fixture
def databases(database_url: str) -> Iterator[tuple[Database, Database]]:
    """Two connections' worth of the same database, as two processes have."""
    ours, theirs = Database(database_url), Database(database_url)
    with ours.engine.begin() as connection:
        connection.execute(text("CREATE TABLE changes (number INTEGER)"))
    yield ours, theirs
    ours.close()
    theirs.close()


class _Heard:
    """What was heard since the last look."""

    def __init__(self) -> None:
        self._channels: list[Channel] = []

    def __call__(self, channel: Channel) -> None:
        self._channels.append(channel)

    def forget(self) -> None:
        self._channels.clear()

    def includes(self, channel: Channel) -> bool:
        return channel in self._channels


def _change(database: Database, *channels: Channel) -> None:
    with database.session.begin() as session:
        session.execute(text("INSERT INTO changes VALUES (1)"))
        for channel in channels:
            notify(session, channel)


def test_another_process_hears_what_was_committed(databases: tuple[Database, Database]) -> None:
    ours, theirs = databases
    heard = _Heard()
    with listening(ours, list(Channel), heard):
        until(lambda: all(map(heard.includes, Channel)))  # it tells everyone to look when it begins
        for channel in Channel:
            heard.forget()
            _change(theirs, channel)
            until(lambda: heard.includes(channel))  # noqa: B023 (called at once)


def test_nobody_hears_of_what_was_never_committed(databases: tuple[Database, Database]) -> None:
    ours, theirs = databases
    heard = _Heard()
    with listening(ours, [Channel.SENT, Channel.DECIDED], heard):
        until(lambda: heard.includes(Channel.DECIDED))
        heard.forget()
        with theirs.session.begin() as session:
            session.execute(text("INSERT INTO changes VALUES (1)"))
            notify(session, Channel.SENT)
            session.rollback()
        assert not heard.includes(Channel.SENT)
        _change(theirs, Channel.DECIDED)
        until(lambda: heard.includes(Channel.DECIDED))  # what was said before would have been heard before
        if not ours.is_sqlite:
            assert not heard.includes(Channel.SENT)


def test_it_hears_again_after_its_connection_was_killed(databases: tuple[Database, Database]) -> None:
    ours, theirs = databases
    if ours.is_sqlite:
        pytest.skip("SQLite has no connection that another process could end")
    heard = _Heard()
    with listening(ours, [Channel.DECIDED], heard):
        until(lambda: heard.includes(Channel.DECIDED))
        heard.forget()
        assert end_listeners(theirs) == 1
        until(lambda: heard.includes(Channel.DECIDED))  # what it may have missed: it looks once
        heard.forget()
        _change(theirs, Channel.DECIDED)
        until(lambda: heard.includes(Channel.DECIDED))


def test_it_ends_while_the_database_is_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    with listening(away, [Channel.SENT], lambda _: None):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "wake-ups"]


def end_listeners(database: Database) -> int:
    """Ends every connection of this PostgreSQL database that listens; how many those were."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    )
    with database.engine.begin() as connection:
        return int(connection.scalar(text(query)) or 0)
