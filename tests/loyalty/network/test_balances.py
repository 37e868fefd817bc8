"""What the network says of a customer's points, asked of a real one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.network.balances import Balances, Expiring, NetworkAway
from tests.loyalty.network.world import World


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_customer_has_what_is_settled_and_is_told_what_of_it_expires(world: World) -> None:
    member, balances = world.station.member(), Balances(world.settings)
    number = member.removeprefix("external:")
    today = datetime.now(UTC).date()
    assert balances.of(number, today, 30) == []
    world.wish("soon", member, 30, expires_on=today + timedelta(days=9))
    world.wish("soon too", member, 12, expires_on=today + timedelta(days=9))
    world.wish("later", member, 500, expires_on=today + timedelta(days=300))
    world.settle()
    (holding,) = balances.of(number, today, 30)
    assert (holding.program, holding.points, holding.reserved) == ("FUEL", 542, 0)
    (lot,) = {one.expires_on for one in world.client.lots.list(member, "FUEL") if one.points == 30}
    assert holding.expiring == [Expiring(lot - timedelta(days=1), 42)]


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_customer_whom_the_network_does_not_know_has_nothing(world: World) -> None:
    assert [*Balances(world.settings).of("cus_nobody", date(2026, 11, 28), 30)] == []


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_a_network_that_is_away_is_not_asked_by_every_page(world: World) -> None:
    balances = Balances(world.settings.model_copy(update={"gateway_url": "http://127.0.0.1:1"}))
    for _ in range(2):
        with pytest.raises(NetworkAway):
            balances.of("cus_nobody", date(2026, 11, 28), 30)
    with pytest.raises(NetworkAway):
        Balances(world.settings.model_copy(update={"api_key": type(world.settings.api_key)("")})).of(
            "cus_nobody", date(2026, 11, 28), 30
        )
