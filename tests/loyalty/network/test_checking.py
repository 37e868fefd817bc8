"""The check finds whatever programme and network do not say alike, once, and compares nothing twice that it need not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from loyalty.network.checking import Checker
from loyalty.network.models import Check, Difference, Wish, WishState
from tests.loyalty.network.world import World


@pytest.fixture(autouse=True)
def _past(world: World) -> None:
    """Lets the check look at nothing of before: the tests of this network are programmes of one merchant."""
    until = world.database.clock.now() + timedelta(hours=1)
    with world.database.session.begin() as session:
        session.add(Check(id="chk_0", looked_until=until, wishes=0, movements=0, found=0))


def forget_runs(world: World) -> None:
    """Has the next run look as far back as the first."""
    with world.database.session.begin() as session:
        session.execute(delete(Check).where(Check.id != "chk_0"))


def differences(world: World) -> list[tuple[str, str]]:
    """Code and subject of each difference."""
    with world.database.reading() as session:
        return [(found.code, found.subject) for found in session.scalars(select(Difference).order_by(Difference.id))]


def change(world: World, name: str, **values: Any) -> str:
    """Changes a wish behind everybody's back; its id."""
    with world.database.session.begin() as session:
        reference = world.reference(name)
        session.execute(update(Wish).where(Wish.reference == reference).values(**values))
        return session.scalars(select(Wish.id).where(Wish.reference == reference)).one()


def settled(world: World, *names: str) -> str:
    """Wishes that have settled, of one member."""
    member = world.station.member()
    for name in names:
        world.wish(name, member, 10)
    world.settle()
    return member


def test_what_agrees_is_no_difference_and_is_compared_once(world: World) -> None:
    settled(world, "1", "2")
    world.take_back("back", "1", 4)
    world.settle()
    checker = Checker(world.database, world.client)
    first = checker.run()
    assert (first.wishes, first.found) == (3, 0)
    assert first.movements >= 3
    forget_runs(world)
    again = checker.run()
    assert (again.wishes, again.movements, again.found) == (0, first.movements, 0)
    world.clock.ahead += timedelta(hours=3)
    assert checker.run().movements >= 3, "they were accepted less than an hour before the last run began"
    assert checker.run().movements == 0, "the last run began three hours after all of them"


def test_each_difference_is_found_once(world: World) -> None:
    member = settled(world, "points", "leaf", "missing", "refused", "unknown", "good")
    expected = {
        ("points_differ", change(world, "points", points=11)),
        ("leaf_differs", change(world, "leaf", leaf="0x" + "00" * 32)),
        ("refused_here", change(world, "refused", state=WishState.REFUSED)),
    }
    with world.database.session.begin() as session:
        session.execute(delete(Wish).where(Wish.reference == world.reference("unknown")))
        lost = session.scalars(select(Wish).where(Wish.reference == world.reference("missing"))).one()
        lost.reference, lost.leaf = world.reference("nowhere"), "0x" + "11" * 32
        expected.add(("missing_there", lost.id))
    by_reference = {movement.reference: movement.id for movement in world.station.movements(member)}
    expected |= {("unknown_here", by_reference[world.reference(name)]) for name in ("unknown", "missing")}
    checker = Checker(world.database, world.client)
    assert checker.run().found == len(expected)
    assert set(differences(world)) == expected
    forget_runs(world)
    again = checker.run()
    assert (again.found, again.movements) == (0, 6)
    assert len(differences(world)) == len(expected)


def test_a_movement_that_is_not_settled_there_is_found(world: World) -> None:
    settled(world, "original")
    refused = world.station.client.movements.lookup("issue", [world.reference("original")])
    assert refused[0].is_settled
    movement = refused[0].model_copy(update={"state": "submitted", "entry": None})
    client = world.client
    lookup = client.movements.lookup

    class Reopened:
        """The network after a reorganisation took the block away."""

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        @property
        def movements(self) -> Any:
            return self

        def lookup(self, kind: str, references: Any) -> Any:
            return [movement] if kind == "issue" else lookup(kind, references)

        def list(self, **_: Any) -> Any:
            return []

    assert Checker(world.database, Reopened()).run().found == 1  # type: ignore[arg-type]
    assert [code for code, _ in differences(world)] == ["not_settled_there"]


def test_another_movement_of_the_merchant_is_no_difference(world: World) -> None:
    member = world.station.member()
    world.station.client.issuances.create(
        program="FUEL", member=member, points=3, reference=world.reference("till"), wait=60
    )
    assert Checker(world.database, world.client).run().found == len(differences(world))
    assert not any(subject == world.reference("till") for _, subject in differences(world))


def test_an_erased_member_is_no_difference_because_the_entry_stays(world: World) -> None:
    member = settled(world, "1")
    world.station.client.redemptions.create(program="FUEL", member=member, points=10, wait=60).settled()
    world.station.client.members.erase(member)
    checker = Checker(world.database, world.client)
    checker.run()
    wish = world.wishes()[0]
    assert wish.id not in {subject for _, subject in differences(world)}
