"""Points that expire, from the network's reminder to the customer's message."""

from __future__ import annotations

import threading
import time
from datetime import date, timedelta

import pytest

from clearing.kit.database import Database as NetworkDatabase
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.lots.repository import ExpiryMarkRepository
from clearing.ordering.expiry.rounds import ReminderRound
from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.messages.expiring import TOPIC, ExpiryListener
from loyalty.messages.models import Message
from loyalty.messages.service import MessageService
from loyalty.network.members import as_member
from loyalty.network.news import News
from tests.loyalty.network.world import PATIENCE, World


def customer_with_points(world: World, name: str, points: int, expires_on: date) -> str:
    """Somebody who joins and has settled points."""
    with world.database.session.begin() as session:
        shown = [Shown(IdentifierKind.CARD, f"CARD{world.run:05}{name}")]
        customer = CustomerService(session).add(shown, None, actor="test").id
    world.wish(name, as_member(customer), points, expires_on=expires_on)
    world.settle()
    return customer


def remind(world: World) -> None:
    """The network's round of a day; of today, as often as it is called."""
    network = world.station.network
    database = NetworkDatabase(network.settings.database_url)
    try:
        today = NetworkIdentity.of(network.settings).day_at(database.clock.unix())
        with database.session.begin() as session:
            ExpiryMarkRepository(session).set(ReminderRound.NAME, today - 1)
        ReminderRound(database, network.settings).run()
    finally:
        database.close()


def told(world: World, customer: str) -> list[Message]:
    with world.database.reading() as session:
        return [*MessageService(session).page(customer=customer, kind=None, state=None, cursor=None, limit=9)[0]]


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_customers_are_told_of_points_that_expire_whatever_dies_meanwhile(world: World) -> None:
    today = NetworkIdentity.of(world.station.network.settings).date_of(
        NetworkIdentity.of(world.station.network.settings).day_at(int(time.time()))
    )
    early = customer_with_points(world, "EARLY", 70, today + timedelta(days=7))
    customer_with_points(world, "LATER", 5, today + timedelta(days=100))
    remind(world)
    listener = ExpiryListener(world.database, News(world.client), pause=0.1)
    listener.catch_up()
    (message,) = told(world, early)
    assert (message.kind, message.values["points"], message.values["days"]) == ("points_expiring", 70, 7)
    assert message.good_until == today + timedelta(days=7)

    # It listens now, hears what comes, and one that begins anew hears nothing twice.
    stop = threading.Event()
    thread = threading.Thread(target=listener.run, args=(stop,), daemon=True)
    thread.start()
    late = customer_with_points(world, "LATE", 30, today + timedelta(days=30))
    remind(world)
    deadline = time.monotonic() + PATIENCE
    while not told(world, late):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
    again = ExpiryListener(world.database, News(world.client), pause=0.1)
    again.catch_up()
    assert len(told(world, early)) == len(told(world, late)) == 1

    # What the network has forgotten is no reason to hear nothing more.
    with world.database.session.begin() as session:
        MessageService(session).hear(TOPIC, "evt_00000000000000000000000000")
    stop = threading.Event()
    thread = threading.Thread(target=again.run, args=(stop,), daemon=True)
    thread.start()
    last = customer_with_points(world, "LAST", 1, today + timedelta(days=1))
    remind(world)
    deadline = time.monotonic() + PATIENCE
    while not told(world, last):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
