"""Old events of movements go; those that say what somebody did to the network, and those that an endpoint waits for, stay."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from clearing.kit.clock import MovableClock
from clearing.kit.events.horizon import EventHorizon
from clearing.kit.events.models import Event, EventCursor
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.events.types import is_frequent
from clearing.notifications.webhooks import old_events
from clearing.notifications.webhooks.fanout import fan_out
from clearing.notifications.webhooks.models import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.repository import DeliveryRepository
from clearing.notifications.webhooks.service import WebhookService
from clearing.parties.merchants.models import Merchant
from clearing.runtime.jobs import cleanup
from tests.support.chainless import ChainlessNetwork

FREQUENT = ("order.settled", "hold.captured", "exchange.received", "member.code_used")
RARE = ("api_key.created", "member.created", "agreement.active", "deposit.posted", "statement.ready")


@pytest.mark.parametrize("kind", FREQUENT + RARE)
def test_what_every_movement_brings_is_frequent(kind: str) -> None:
    assert is_frequent(kind) == (kind in FREQUENT)


def record(network: ChainlessNetwork, *kinds: str) -> None:
    with network.database.session.begin() as session:
        for number, kind in enumerate(kinds):
            EventRecorder(session).record(kind, f"sub_{number}", actor="test", merchants=[1], data={})
            session.flush()


def subscribe(network: ChainlessNetwork, kind: str) -> None:
    """Gives merchant 1 an endpoint for these events."""
    with network.database.session.begin() as session:
        service = WebhookService(session, keyring=network.keyrings.webhook_secrets, settings=network.settings)
        merchant = session.get_one(Merchant, 1)
        service.create(merchant, url="https://hooks.example", types=[kind], description="", actor="test")


def offer(network: ChainlessNetwork) -> None:
    """Makes deliveries of what was recorded."""
    with network.database.session.begin() as session:
        fan_out(session)


def clean(network: ChainlessNetwork, before: datetime) -> None:
    cleanup.remove_old(network.database, old_events.remove_old_events, before)


def kinds(network: ChainlessNetwork) -> list[str]:
    with network.database.session.begin() as session:
        return list(session.scalars(select(Event.type).order_by(Event.seq)))


def seen(session: Session) -> int:
    return session.get_one(EventCursor, old_events.CURSOR).seq


def test_frequent_events_go_after_a_while_and_all_others_stay(
    chainless: ChainlessNetwork, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_ROWS", 3)  # the rows of several steps
    record(chainless, *FREQUENT, *RARE)
    clock.move(timedelta(days=400))
    record(chainless, *FREQUENT)
    offer(chainless)
    clean(chainless, clock.now() - timedelta(days=399))
    assert kinds(chainless) == [*RARE, *FREQUENT]
    clean(chainless, clock.now() - timedelta(days=399))
    assert kinds(chainless) == [*RARE, *FREQUENT]


def test_what_was_looked_through_is_not_looked_at_again(chainless: ChainlessNetwork, clock: MovableClock) -> None:
    record(chainless, *RARE)
    clock.move(timedelta(days=400))
    offer(chainless)
    clean(chainless, clock.now())
    with chainless.database.session.begin() as session:
        assert seen(session) == (session.scalar(select(func.max(Event.seq))) or 0) - 1, "the newest always stays"


def test_no_event_goes_before_it_was_offered_to_the_endpoints(chainless: ChainlessNetwork, clock: MovableClock) -> None:
    offer(chainless)
    record(chainless, *FREQUENT)
    clock.move(timedelta(days=400))
    clean(chainless, clock.now())
    assert kinds(chainless) == list(FREQUENT)


@pytest.mark.parametrize("state", DeliveryState)
def test_an_event_stays_while_a_delivery_shows_it(
    chainless: ChainlessNetwork, clock: MovableClock, state: DeliveryState
) -> None:
    subscribe(chainless, "order.settled")
    record(chainless, "order.accepted", "order.settled", "hold.created", "hold.released")
    offer(chainless)
    with chainless.database.session.begin() as session:
        session.execute(update(WebhookDelivery).values(state=state))
    clock.move(timedelta(days=400))
    clean(chainless, clock.now())
    assert kinds(chainless) == ["webhook_endpoint.created", "order.settled", "hold.released"], "the newest always stays"


@pytest.mark.parametrize("enabled", [True, False])
def test_deliveries_wait_for_a_disabled_endpoint_but_not_for_ever(
    chainless: ChainlessNetwork, clock: MovableClock, enabled: bool
) -> None:
    subscribe(chainless, "order.*")
    if not enabled:
        with chainless.database.session.begin() as session:
            session.execute(update(WebhookEndpoint).values(state=EndpointState.DISABLED))
    record(chainless, "order.accepted")
    offer(chainless)
    clock.move(timedelta(days=31))
    record(chainless, "order.settled")
    offer(chainless)
    removed = cleanup.remove_expired(chainless.database, DeliveryRepository, clock.now() - timedelta(days=30))
    assert removed == (0 if enabled else 1)
    with chainless.database.session.begin() as session:
        assert session.scalar(select(func.count()).select_from(WebhookDelivery)) == (2 if enabled else 1)


def test_readers_of_the_events_do_not_wait_for_those_that_are_gone(
    chainless: ChainlessNetwork, clock: MovableClock
) -> None:
    record(chainless, "api_key.created", *FREQUENT, "api_key.created")
    clock.move(timedelta(days=400))
    offer(chainless)
    clean(chainless, clock.now())
    horizon = EventHorizon()
    with chainless.database.session.begin() as session:
        newest = session.scalar(select(func.max(Event.seq)))
        horizon.advance(session)
        assert horizon.advance(session) == newest
