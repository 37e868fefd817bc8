"""Points that should come back and are spent, on a real network: what is there is taken back, the rest is owed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from loyalty.network.checking import Checker
from loyalty.network.issues import IssueGroup
from loyalty.network.models import Check, Debt, Wish, WishState
from loyalty.network.wishes import IssueWish
from tests.loyalty.network.test_deaths import outlive_the_lease, run_to_its_death
from tests.loyalty.network.world import World
from tests.support.nightly import IS_NIGHTLY


def with_spent(world: World, points: int, spent: int) -> str:
    """A member who was given points and has spent some of them."""
    member = world.station.member()
    world.wish("sale", member, points)
    world.settle()
    world.station.client.redemptions.create(program="FUEL", member=member, points=spent, wait=60).settled()
    return member


def debts(world: World) -> Sequence[Debt]:
    with world.database.reading() as session:
        return session.scalars(select(Debt).order_by(Debt.id)).all()


def wish_of(world: World, name: str) -> Wish:
    with world.database.reading() as session:
        return session.scalars(select(Wish).where(Wish.reference == world.reference(name))).one()


def award(world: World, name: str, member: str, points: int) -> None:
    """Points that a customer has earned."""
    with world.database.session.begin() as session:
        issues = IssueGroup(session)
        issues.add(IssueWish(reference=world.reference(name), program="FUEL", member=member, points=points))
        issues.write()


def differences(world: World) -> int:
    """What the check finds of the wishes of this programme."""
    with world.database.session.begin() as session:
        until = world.database.clock.now() + timedelta(hours=1)  # what is there is of other tests, too
        session.add(Check(id="chk_0", looked_until=until, wishes=0, movements=0, found=0))
    return Checker(world.database, world.client).run().found


def test_what_is_there_is_taken_back_and_the_next_award_pays_the_rest(world: World) -> None:
    member = with_spent(world, 100, 80)
    world.take_back("return", "sale", 60)
    world.settle()
    reversal = wish_of(world, "return")
    assert (reversal.state, reversal.points, reversal.set_off) == (WishState.SETTLED, 60, 40)
    assert world.station.posted(member) == 0
    (debt,) = debts(world)
    assert (debt.member, debt.program, debt.wish_id, debt.points, debt.owed) == (member, "FUEL", reversal.id, 40, 40)
    award(world, "first", member, 30)
    award(world, "second", member, 30)
    world.settle()
    assert [wish_of(world, name).state for name in ("first", "second")] == [WishState.SET_OFF, WishState.SETTLED]
    assert [one.owed for one in debts(world)] == [0]
    assert world.station.posted(member) == 20
    assert [one.points for one in world.station.movements(member) if one.reference == world.reference("second")] == [20]
    world.take_back("again", "second", 30)
    world.settle()
    assert (world.station.posted(member), [one.owed for one in debts(world)]) == (0, [10])
    assert differences(world) == 0


def test_of_several_reversals_of_a_member_only_what_is_missing_is_owed(world: World) -> None:
    member = with_spent(world, 100, 45)
    others = world.station.member()
    for name, points in (("first", 30), ("second", 40), ("third", 10)):
        world.take_back(name, "sale", points)
    world.wish("else", others, 7)
    world.settle()
    found = [wish_of(world, name) for name in ("first", "second", "third")]
    assert [one.set_off for one in found] == [0, 15, 10]
    assert [one.state for one in found] == [WishState.SETTLED, WishState.SETTLED, WishState.SET_OFF]
    assert [one.owed for one in debts(world)] == [15, 10]
    assert (world.station.posted(member), world.station.posted(others)) == (0, 7)


@pytest.mark.parametrize("when", ["before", "after"] if IS_NIGHTLY else ["after"])
def test_a_sender_that_dies_when_it_books_a_debt_owes_once(world: World, when: str) -> None:
    member = with_spent(world, 100, 80)
    world.take_back("return", "sale", 60)
    run_to_its_death(world, "owe", when)
    assert [one.owed for one in debts(world)] == ([] if when == "before" else [40])
    outlive_the_lease(world)
    world.settle()
    assert [one.owed for one in debts(world)] == [40]
    assert world.station.posted(member) == 0
    assert [one.points for one in world.station.movements(member) if one.reverses] == [20]
