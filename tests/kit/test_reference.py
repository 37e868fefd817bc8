"""Copies of reference data in memory: whoever asks gets the table as it is in its own transaction, whoever changed it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import delete, event, select, text, update
from sqlalchemy.orm import Session

from clearing.kit.clock import MovableClock
from clearing.kit.database import Base, Database
from clearing.kit.ids import new_id
from clearing.kit.reference.directory import Directory, copied_tables, rows_of
from clearing.kit.reference.models import ReferenceVersion
from clearing.parties.access.models import ApiKey, Role
from clearing.parties.access.service import AccessService, Scope, presumed_caller
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.merchants.directory import merchants_in
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.programs.directory import programs_in
from clearing.parties.programs.models import Program, ProgramStatus
from clearing.parties.staff.models import Person, Seat
from clearing.parties.staff.titles import Title
from tests.support.chainless import ChainlessNetwork


@pytest.fixture
def database(chainless: ChainlessNetwork) -> Database:
    """A database whose copies are made already."""
    with chainless.database.reading() as session:
        assert status(session) is ProgramStatus.ACTIVE
        assert merchants_in(session).by_number(1) is not None
    return chainless.database


@pytest.fixture
def elsewhere(database: Database) -> Iterator[Database]:
    """The same database, as another process has it."""
    other = Database(database.url)
    yield other
    other.close()


def status(session: Session) -> ProgramStatus:
    """The status of a program, as its copy has it."""
    program = programs_in(session).by_number(1)
    assert program is not None
    return program.status


def seen(database: Database) -> ProgramStatus:
    """The same in a transaction of its own."""
    with database.reading() as session:
        return status(session)


def pause(session: Session) -> None:
    """Pauses the program."""
    session.get_one(Program, 1).status = ProgramStatus.PAUSED


def _pause_in_bulk(session: Session) -> None:
    session.execute(update(Program).where(Program.number == 1).values(status=ProgramStatus.PAUSED))


def _pause_by_hand(session: Session) -> None:
    session.execute(text("UPDATE programs SET status = 'paused' WHERE number = 1"))


CHANGES = [pause, _pause_in_bulk, _pause_by_hand]


# -------------------------------------------------------------------- whoever changed it


@pytest.mark.parametrize("change", CHANGES)
def test_the_next_transaction_sees_what_another_session_committed(
    database: Database, change: Callable[[Session], None]
) -> None:
    with database.session.begin() as session:
        change(session)
    assert seen(database) is ProgramStatus.PAUSED


@pytest.mark.parametrize("change", CHANGES)
def test_the_next_transaction_sees_what_somebody_else_committed(
    database: Database, elsewhere: Database, change: Callable[[Session], None]
) -> None:
    with elsewhere.session.begin() as session:
        change(session)
    assert seen(database) is ProgramStatus.PAUSED


def _pause_in_a_process(url: str) -> None:
    database = Database(url)
    with database.session.begin() as session:
        pause(session)
    database.close()


def test_the_next_transaction_sees_what_another_process_committed(database: Database) -> None:
    process = multiprocessing.get_context("fork").Process(target=_pause_in_a_process, args=(database.url,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert seen(database) is ProgramStatus.PAUSED


def test_rows_that_come_and_go_are_seen(database: Database, elsewhere: Database) -> None:
    with elsewhere.session.begin() as session:
        session.add(Merchant(number=7, id=new_id("mer"), name="seven", status=MerchantStatus.ACTIVE))
        session.flush()
        session.add(SignerKey(address="0x7", merchant_number=7, keystore="{}"))
    with database.reading() as session:
        assert merchants_in(session).managed_key(7, 1) is not None
    with elsewhere.session.begin() as session:
        session.execute(delete(SignerKey).where(SignerKey.merchant_number == 7))
    with database.reading() as session:
        assert merchants_in(session).managed_key(7, 1) is None
        assert merchants_in(session).by_number(7) is not None
    with elsewhere.session.begin() as session:
        session.delete(session.get_one(Merchant, 7))
    with database.reading() as session:
        assert merchants_in(session).by_number(7) is None


def test_a_transaction_sees_one_state(database: Database, elsewhere: Database) -> None:
    """What others change while it runs is the next one's business: an order has one answer to each question."""
    with database.reading() as session:
        before = programs_in(session)
        with elsewhere.session.begin() as other:
            pause(other)
        assert programs_in(session) is before
    assert seen(database) is ProgramStatus.PAUSED


def test_nobody_loads_what_has_not_changed(database: Database) -> None:
    seen(database)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement != "BEGIN":
            statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    for _ in range(3):
        with database.reading() as session:
            for _ in range(5):
                status(session)
    event.remove(database.engine, "before_cursor_execute", note)
    assert len(statements) == 3
    assert all("reference_versions" in statement for statement in statements), "one look at the versions a transaction"


# -------------------------------------------------------------------- the transaction's own changes


@pytest.mark.parametrize("change", CHANGES)
def test_a_transaction_sees_its_own_changes(database: Database, change: Callable[[Session], None]) -> None:
    with database.session.begin() as session:
        assert status(session) is ProgramStatus.ACTIVE
        change(session)
        assert status(session) is ProgramStatus.PAUSED
        session.get_one(Program, 1, populate_existing=True).status = ProgramStatus.ACTIVE
        session.flush()
        assert status(session) is ProgramStatus.ACTIVE


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("looks_before", [False, True])
@pytest.mark.parametrize("looks_after", [False, True])
def test_what_was_rolled_back_is_forgotten(
    database: Database, change: Callable[[Session], None], looks_before: bool, looks_after: bool
) -> None:
    with database.session() as session:
        if looks_before:
            status(session)
        change(session)
        if looks_after:
            status(session)  # its copy holds what is never committed
        session.rollback()
        assert status(session) is ProgramStatus.ACTIVE
    assert seen(database) is ProgramStatus.ACTIVE


def test_others_never_see_what_is_not_committed(chainless: ChainlessNetwork) -> None:
    """Even where a session wrote past SQLAlchemy, after it had looked, and is the first in its process to make the copy."""
    if chainless.database.is_sqlite:
        pytest.skip("SQLite has one writer, and readers do not see its changes")
    database = chainless.database
    with database.session() as session:
        merchants_in(session)  # knows the versions now
        _pause_by_hand(session)
        assert status(session) is ProgramStatus.PAUSED
        assert seen(database) is ProgramStatus.ACTIVE
        session.rollback()
    assert seen(database) is ProgramStatus.ACTIVE


@pytest.mark.parametrize("change", CHANGES)
def test_a_savepoint_takes_its_changes_with_it(database: Database, change: Callable[[Session], None]) -> None:
    with database.session.begin() as session:
        status(session)
        attempt = session.begin_nested()
        change(session)
        session.flush()
        status(session)
        attempt.rollback()
        assert status(session) is ProgramStatus.ACTIVE
        with session.begin_nested():
            pause(session)
        assert status(session) is ProgramStatus.PAUSED, "a savepoint that was released keeps them"
    assert seen(database) is ProgramStatus.PAUSED


def test_a_later_transaction_of_the_same_session_looks_again(database: Database, elsewhere: Database) -> None:
    with database.session() as session:
        assert status(session) is ProgramStatus.ACTIVE
        session.commit()
        with elsewhere.session.begin() as other:
            pause(other)
        assert status(session) is ProgramStatus.PAUSED


# -------------------------------------------------------------------- triggers


def _version(database: Database, table: str) -> str | None:
    with database.reading() as session:
        return session.scalar(select(ReferenceVersion.version).where(ReferenceVersion.table_name == table))


def test_orders_renew_nothing(database: Database) -> None:
    before = _version(database, "merchants")
    with database.session.begin() as session:
        MerchantRepository(session).set_next_nonces({1: 40, 2: 50})
        session.get_one(Merchant, 1).next_nonce = 41
    with database.session.begin() as session:
        session.execute(text("UPDATE merchants SET next_nonce = next_nonce + 1"))
    assert before is not None
    assert _version(database, "merchants") == before


def _columns() -> list[tuple[str, str]]:
    with_copies = [Base.metadata.tables[name] for name in sorted(copied_tables())]
    return [(table.name, column.name) for table in with_copies for column in table.columns]


def test_every_table_with_a_copy_is_known() -> None:
    ours = {"merchants", "signer_keys", "programs", "agreements", "api_keys", "staff_people", "staff_seats"}
    assert copied_tables() == ours


NOT_COPIED = {
    *("next_nonce", "password_hash", "must_change_password", "totp_secret", "totp_since", "totp_last_step"),
    *("disabled_at", "disabled_by_network"),
}
"""Columns that no copy has, because they change often, or because they are secret."""


def _add_rows(session: Session) -> None:
    """A row in each table that is empty otherwise."""
    session.add(ApiKey(id="key_1", secret_hash=bytes(32), role=Role.OPERATOR))
    session.add(Person(id="stf_1", email="a@b.example", email_key="a@b.example", name="A"))
    session.flush()
    session.add(Seat(id="sea_1", person_id="stf_1", title=Title.OPERATOR))


def test_every_column_of_a_copy_renews_its_version(chainless: ChainlessNetwork) -> None:
    """A column that somebody adds to the model, and not to the trigger, would leave old copies current."""
    with chainless.database.session.begin() as session:
        _add_rows(session)
    for table, column in _columns():
        before = _version(chainless.database, table)
        with chainless.database.session.begin() as session:
            session.execute(text(f'UPDATE "{table}" SET "{column}" = "{column}"'))
        assert (_version(chainless.database, table) == before) == (column in NOT_COPIED), (table, column)


@pytest.mark.parametrize("table", sorted(copied_tables()))
def test_every_table_with_a_copy_is_renewed_by_inserts_and_deletes(chainless: ChainlessNetwork, table: str) -> None:
    model = Base.metadata.tables[table]
    others = [column.name for column in model.columns if not column.primary_key]
    key = next(iter(model.primary_key.columns)).name
    value = "99" if table == "merchants" or table == "programs" else "'one more'"
    unique = {"id": "'another'", "code": "'ANOTHER'", "number": "99", "digest": "'another'"}
    unique |= {"email_key": "'another'", "title": "'auditor'"}
    columns = ", ".join(f'"{name}"' for name in [key, *others])
    values = ", ".join([value, *(unique.get(name, f'"{name}"') for name in others)])
    with chainless.database.session.begin() as session:
        _add_rows(session)
    versions = [_version(chainless.database, table)]
    for statement in (
        f'INSERT INTO "{table}" ({columns}) SELECT {values} FROM "{table}" LIMIT 1',
        f'DELETE FROM "{table}" WHERE "{key}" = {value}',
    ):
        with chainless.database.session.begin() as session:
            session.execute(text(statement))
        versions.append(_version(chainless.database, table))
    assert len(set(versions)) == 3


def test_truncate_renews_too(chainless: ChainlessNetwork) -> None:
    if chainless.database.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE; a DELETE without WHERE fires its triggers")
    seen(chainless.database)
    with chainless.database.session.begin() as session:
        session.execute(text("TRUNCATE programs CASCADE"))
    with chainless.database.reading() as session:
        assert programs_in(session).by_number(1) is None


def test_a_delete_of_everything_renews_too(chainless: ChainlessNetwork) -> None:
    with chainless.database.reading() as session:
        assert agreements_in(session).by_number(1) is not None
    with chainless.database.session.begin() as session:
        session.execute(text("DELETE FROM agreements"))
    with chainless.database.reading() as session:
        assert agreements_in(session).by_number(1) is None


# -------------------------------------------------------------------- who shares a copy


def test_two_databases_in_one_process_share_nothing(database: Database, empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.reading() as session:
        assert programs_in(session).by_number(1) is None
    assert seen(database) is ProgramStatus.ACTIVE
    with empty_database.reading() as session:
        assert programs_in(session).by_number(1) is None
    empty_database.close()


def test_many_threads_may_make_the_copy_at_once(chainless: ChainlessNetwork) -> None:
    made: list[int] = []
    at_once = Barrier(12)

    def load(session: Session) -> list[Program]:
        rows = rows_of(session, Program)
        made.append(len(rows))
        return rows

    directory = Directory((Program,), load)

    def look(_: int) -> set[str]:
        with chainless.database.reading() as session:
            at_once.wait()
            return {program.code for program in directory.of(session)}

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(look, range(12))) == [{"FUEL", "CINE"}] * 12
    assert 1 <= len(made) <= 12
    with chainless.database.reading() as session:
        directory.of(session)
    assert len(made) <= 12, "then it is made"


def test_readers_and_a_writer_at_once_see_what_is_committed(chainless: ChainlessNetwork, clock: MovableClock) -> None:
    """A reader that begins after a change was committed never gets an older copy, however many replace each other's."""
    names = [f"FUEL {turn}" for turn in range(30)]
    committed = [-1]

    def look(_: int) -> None:
        while committed[0] < len(names) - 1:
            least = committed[0]
            with chainless.database.reading() as session:
                program = programs_in(session).by_number(1)
                assert program is not None
                assert least == -1 or names.index(program.name) >= least

    def write() -> None:
        for turn, name in enumerate(names):
            with chainless.database.session.begin() as session:
                session.get_one(Program, 1).name = name
            committed[0] = turn

    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(look, number) for number in range(4)]
        pool.submit(write).result()
        for reader in readers:
            reader.result()


def test_who_was_known_a_moment_ago_is_only_presumed(database: Database, elsewhere: Database) -> None:
    """The copy as this process last saw it says who a caller may be; only a transaction can tell whether it still is."""
    with database.session.begin() as session:
        found = session.get_one(Merchant, 1)
        key, token = AccessService(session).create_first(found, frozenset({Scope.READ}), actor="test")
    assert presumed_caller(elsewhere, token) is None, "it has not looked yet"
    for process in (database, elsewhere):
        with process.reading() as session:
            caller = AccessService(session).authenticate(token)
            assert caller is not None
        assert presumed_caller(process, token) == caller
    with elsewhere.session.begin() as session:
        session.get_one(ApiKey, key.id).revoked_at = database.clock.now()
    assert presumed_caller(database, token) == caller
    with database.reading() as session:
        assert not AccessService(session).live([caller.key_id])
    assert presumed_caller(database, token) is None
