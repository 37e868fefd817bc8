"""A sender may die anywhere, and any number of senders may work at once: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from loyalty.network.models import OrderState, WishState
from loyalty.network.sending import LostLease
from tests.loyalty.network.dying_sender import DIED, STEPS
from tests.loyalty.network.world import PATIENCE, World
from tests.loyalty.nightly import on_postgresql_by_day

POINTS = (3, 5, 7)


def environment(world: World) -> dict[str, str]:
    """The settings of the world as the environment of a process."""
    settings = world.settings
    own = {
        "database_url": settings.database_url,
        "gateway_url": str(settings.gateway_url),
        "api_key": settings.api_key.get_secret_value(),
        "keystore": str(settings.keystore),
        "keystore_password": settings.password,
        "contract": str(settings.contract),
        "poll_interval": "0.05",
    }
    return {**os.environ, **{f"LOYALTY_{name.upper()}": value for name, value in own.items()}}


def run_to_its_death(world: World, step: str, when: str) -> None:
    command = [sys.executable, "-m", "tests.loyalty.network.dying_sender", step, when]
    done = subprocess.run(
        command, env=environment(world), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == DIED, done.stderr


def outlive_the_lease(world: World) -> None:
    world.clock.ahead += timedelta(seconds=world.settings.lease + 1)


def assert_each_once(world: World, member: str, points: tuple[int, ...] = POINTS) -> None:
    assert world.states() == [WishState.SETTLED] * len(points)
    assert world.station.posted(member) == sum(points)
    movements = world.station.movements(member)
    assert sorted(movement.points for movement in movements if movement.is_settled) == sorted(points)
    assert len(movements) == len(points), "nothing was even tried twice"
    assert {wish.movement for wish in world.wishes()} == {movement.id for movement in movements}


@on_postgresql_by_day
@pytest.mark.parametrize(
    ("step", "when"),
    [(step, when) for step in STEPS for when in ("before", "after") if (step, when) != ("take", "before")],
)
def test_a_sender_that_dies_anywhere_is_followed_by_one_that_finishes(world: World, step: str, when: str) -> None:
    member = world.station.member()
    for number, points in enumerate(POINTS):
        world.wish(str(number), member, points)
    run_to_its_death(world, step, when)
    kept = [order.content for order in world.orders()]
    follower = world.sender()
    sent: list[bytes] = []
    submit = follower.submit
    follower.submit = lambda prepared: (sent.append(prepared.content), submit(prepared))[1]  # type: ignore[method-assign]
    outlive_the_lease(world)
    world.settle(follower)
    assert_each_once(world, member)
    if STEPS.index(step) > STEPS.index("keep_signed") or (step, when) == ("keep_signed", "after"):
        assert sent in ([], kept), "what was kept is sent, byte for byte, or nothing more"


@on_postgresql_by_day
def test_a_sender_that_dies_with_a_reversal_takes_back_once(world: World) -> None:
    member = world.station.member()
    world.wish("sale", member, 100)
    world.settle()
    world.take_back("return", "sale", 40)
    run_to_its_death(world, "submit", "after")
    outlive_the_lease(world)
    world.settle()
    assert world.states() == [WishState.SETTLED] * 2
    assert world.station.posted(member) == 60


@on_postgresql_by_day
def test_killed_again_and_again_amid_its_work(world: World) -> None:
    """SIGKILL at whatever it was doing, while new wishes come in."""
    member = world.station.member()
    command = [sys.executable, "-m", "loyalty", "send"]
    total = 0
    for life in range(3):
        for number in range(20):
            world.wish(f"{life}-{number}", member, 1 + number)
            total += 1 + number
        process = subprocess.Popen(
            command, env={**environment(world), "LOYALTY_ORDER_SIZE": "7", "LOYALTY_LEASE": "10"}
        )
        deadline = time.monotonic() + PATIENCE
        while not any(order.network_order for order in world.orders()[-2:]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        outlive_the_lease(world)
    world.settle()
    assert set(world.states()) == {WishState.SETTLED}
    assert world.station.posted(member) == total
    assert len(world.station.movements(member)) == 60


def test_senders_at_once_share_the_work(world: World) -> None:
    member = world.station.member()
    for number in range(60):
        world.wish(str(number), member, 1 + number)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            world.settle(world.sender(order_size=4))
        except BaseException as error:  # noqa: BLE001 - the test tells it
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_each_once(world, member, tuple(range(1, 61)))


def test_a_sender_that_was_slow_changes_nothing_any_more(world: World) -> None:
    member = world.station.member()
    world.wish("1", member)
    slow = world.sender()
    work = slow.orders.take()
    assert work is not None
    prepared = slow.prepare(work, work.wishes)
    outlive_the_lease(world)
    world.settle()
    changes: list[Any] = [
        lambda: slow.orders.keep_signed(work, prepared),
        lambda: slow.orders.keep_accepted(work, "ord_x"),
        lambda: slow.orders.refuse(work, {work.wishes[0].id: ("x", "x")}),
        lambda: slow.orders.let_go(work, "x"),
        lambda: slow.orders.postpone(work, "x"),
    ]
    for change in changes:
        with pytest.raises(LostLease):
            change()
    assert [order.state for order in world.orders()] == [OrderState.DONE]
    assert world.station.posted(member) == 10


def test_bytes_of_a_slow_sender_that_arrive_late_have_no_second_effect(world: World) -> None:
    """It had kept them, slept, and sends them when another sender has long done so."""
    member = world.station.member()
    world.wish("1", member)
    slow = world.sender()
    work = slow.orders.take()
    assert work is not None
    signed = slow.orders.keep_signed(work, slow.prepare(work, work.wishes))
    late = signed.prepared
    outlive_the_lease(world)
    world.settle()
    assert slow.submit(late).is_final
    assert_each_once(world, member, (10,))
