"""One clock: whatever a database writes carries the time of the clock that it was given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from clearing.kit.clock import SYSTEM_CLOCK, MovableClock, clock_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.errors import Refused
from clearing.kit.events.models import Event
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.idempotency.models import IdempotencyRecord
from clearing.kit.idempotency.service import IdempotencyService
from clearing.kit.signing.keyring import Keyring
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.notifications.webhooks.models import WebhookDelivery
from clearing.notifications.webhooks.service import OLD_SECRET_LIFETIME, WebhookService
from clearing.parties.access.models import ApiKey
from clearing.parties.access.service import bootstrap_keys
from clearing.parties.members.models import MemberLink
from clearing.parties.members.service import LINK_CODE_LIFETIME, MemberService
from clearing.parties.merchants.models import Merchant, MerchantStatus

AHEAD = timedelta(days=400)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def database(database_url: str, clock: MovableClock) -> Iterator[Database]:
    """An empty network with one merchant, whose clock is ahead."""
    database = Database(database_url, clock=clock)
    database.upgrade()
    clock.move(AHEAD)
    with database.session.begin() as session:
        session.add(_merchant(1))
    yield database
    database.close()


def _merchant(number: int) -> Merchant:
    return Merchant(number=number, id=f"mer_{number}", name=f"Merchant {number}", status=MerchantStatus.ACTIVE)


def _is_moved(moment: datetime) -> bool:
    return abs(moment - SYSTEM_CLOCK.now() - AHEAD) < timedelta(minutes=1)


def test_column_defaults_take_the_moved_time_from_the_orm_and_from_statements(database: Database) -> None:
    values = {"number": 2, "id": "mer_2", "name": "Merchant 2", "status": MerchantStatus.ACTIVE, "next_nonce": 0}
    with database.session.begin() as session:
        session.execute(insert(Merchant).values(**values))
    with database.engine.begin() as connection:
        connection.execute(insert(Merchant).values(**values | {"number": 3, "id": "mer_3"}))
    with database.reading() as session:
        stamps = session.scalars(select(Merchant.created_at)).all()
    assert len(stamps) == 3
    assert all(map(_is_moved, stamps))


def test_every_session_of_a_database_has_its_clock(database: Database, clock: MovableClock) -> None:
    with database.session() as writing, database.reading() as reading:
        assert clock_of(writing) is clock_of(reading) is database.clock is clock


def test_events_carry_the_moved_time(database: Database) -> None:
    with database.session.begin() as session:
        EventRecorder(session).record("test.happened", "subject", actor="test", merchants=[1], data={})
        session.add(Event(id="evt_0", type="test.happened", subject="subject", actor="test", data={}))
    with database.reading() as session:
        assert all(map(_is_moved, session.scalars(select(Event.created_at))))


def test_services_carry_the_moved_time(database: Database, clock: MovableClock) -> None:
    keyring, settings = Keyring("only for tests"), Settings(webhook_allow_local=True)
    with database.session.begin() as session:
        merchant = session.get_one(Merchant, 1)
        bootstrap_keys(session)
        MemberService(session).register(merchant, external_id="m", link_code=None, actor="test")
        _, expires_at = MemberService(session).create_link_code(merchant, "external:m", "test")
        IdempotencyService(session).claim("merchant:1", "key", bytes(32))
        webhooks = WebhookService(session, keyring=keyring, settings=settings)
        endpoint, _ = webhooks.create(merchant, url="http://localhost:9", types=[], description="", actor="test")
        webhooks.renew_secret(endpoint, "test")
        old_secret_until = endpoint.old_secret_until
    deliverer = Deliverer(database, settings, keyring)
    deliverer.step()
    deliverer.close()
    assert _is_moved(expires_at - LINK_CODE_LIFETIME)
    assert old_secret_until is not None
    assert _is_moved(old_secret_until - OLD_SECRET_LIFETIME)
    with database.reading() as session:
        for column in (ApiKey.created_at, MemberLink.created_at, IdempotencyRecord.created_at, Event.created_at):
            stamps = session.scalars(select(column)).all()
            assert stamps
            assert all(map(_is_moved, stamps)), column
        created_at, attempted_at = WebhookDelivery.created_at, WebhookDelivery.attempted_at
        (stamps,) = session.execute(select(created_at, attempted_at).where(attempted_at.is_not(None)).limit(1))
        assert all(map(_is_moved, stamps))


def test_a_link_code_expires_when_the_clock_is_moved(database: Database, clock: MovableClock) -> None:
    with database.session.begin() as session:
        session.add(_merchant(2))
        MemberService(session).register(session.get_one(Merchant, 1), external_id="m", link_code=None, actor="test")
        code, _ = MemberService(session).create_link_code(session.get_one(Merchant, 1), "external:m", "test")
    clock.move(LINK_CODE_LIFETIME)
    with database.session() as session, pytest.raises(Refused):
        _link(session, code)
    clock.move(-LINK_CODE_LIFETIME)
    with database.session() as session:
        _link(session, code)


def _link(session: Session, code: str) -> None:
    MemberService(session).register(session.get_one(Merchant, 2), external_id="theirs", link_code=code, actor="test")


def test_a_stopped_clock_shows_one_moment_and_then_goes_on(clock: MovableClock) -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    with clock.stopped(noon):
        assert clock.now() == noon
        assert clock.unix() == int(noon.timestamp())
    assert abs(clock.now() - SYSTEM_CLOCK.now()) < timedelta(minutes=1)
