"""From the till to the chain: a customer joins, buys, gives back and leaves, on a real network."""

from __future__ import annotations

from loyalty.network.models import Member, MemberState, WishState
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, fuel, goods
from tests.loyalty.network.world import World
from tongdui import NotFoundError


def state_of(world: World, customer: str) -> MemberState:
    with world.database.reading() as session:
        member = session.get(Member, customer)
        assert member is not None
        return member.state


def test_a_customer_buys_gives_back_and_leaves(world: World) -> None:
    shop = Shop(api_on(world.database))
    shop.open()
    customer = shop.customer(f"CARD-{world.run:06}")
    number = f"{world.run}"
    sale = shop.sell(fuel(40), goods("snack", 1_250), customer=customer, number=number)
    world.settle()
    member = f"external:{customer}"
    assert state_of(world, customer) is MemberState.KNOWN
    assert world.station.posted(member) == 212
    references = {movement.reference for movement in world.station.movements(member)}
    assert references == {award["reference"] for award in sale["awards"]}
    done(shop.give_back(sale, (1, 20_000, 160_000_000), number=f"R{number}"))
    world.settle()
    assert world.station.posted(member) == 112
    assert set(world.states()) == {WishState.SETTLED}
    farewell = {"reason": "asked by letter", "forfeit_points": True}
    done(shop.api.post(f"/v1/customers/{customer}/erase", farewell))
    while state_of(world, customer) is not MemberState.GONE:
        world.sender().step()
    assert [one.external_id for one in world.station.client.members.lookup([member])] == []


def test_members_are_known_before_their_points_and_without_them(world: World) -> None:
    shop = Shop(api_on(world.database))
    shop.open()
    first, second = shop.customer(f"A-{world.run:06}"), shop.customer(f"B-{world.run:06}")
    sender = world.sender()
    while sender.step():
        pass
    assert [state_of(world, one) for one in (first, second)] == [MemberState.KNOWN] * 2
    for one in (first, second):
        try:
            assert world.station.client.members.get(f"external:{one}").external_id == one
        except NotFoundError as error:
            raise AssertionError(f"{one} is not known") from error
