"""Whatever breaks, and wherever: nothing is lost, nothing is done twice, and everything adds up."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

import pytest

from tests.faults.world import Stop, World
from tests.support.nightly import by_day

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]  # on a slow machine
Fault = Callable[[World, Connection, int, random.Random], None]


def _kill(world: World, child: Connection, pid: int, rng: random.Random) -> None:
    os.kill(pid, signal.SIGKILL)


def _cut(world: World, child: Connection, pid: int, rng: random.Random) -> None:
    child.send("cut")


def _kill_database(world: World, child: Connection, pid: int, rng: random.Random) -> None:
    world.server.kill()
    world.server.start()
    child.send("go on")


def _restart_database(world: World, child: Connection, pid: int, rng: random.Random) -> None:
    world.server.restart()
    child.send("go on")


def _kill_chain(world: World, child: Connection, pid: int, rng: random.Random) -> None:
    """Restarts the chain with its mined blocks; transactions that waited for a block are lost."""
    world.node.kill()
    world.node.start()
    # A restarted anvil lacks the state of older blocks, so it cannot reorganise them.
    world.base = world.harness.client.head()
    child.send("go on")


def _reorganise(world: World, child: Connection, pid: int, rng: random.Random) -> None:
    depth = world.depth(rng.randint(1, 5))
    if depth:
        world.node.reorganise(depth)
    child.send("go on")


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (_kill, 10),
        (_cut, 7),
        (_kill_database, 1),
        (_restart_database, 1),
        (_kill_chain, 2),
        (_reorganise, 3),
    ],
    ids=["killed", "cut off", "database killed", "database restarted", "chain killed", "chain reorganised"],
)
def test_an_order_settles_exactly_once_whatever_happens_between_two_steps(
    world: World, fault: Fault, times: int, seed: int, every_step: bool, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(f"{seed} {request.node.callspec.id}")
    print(f"repeat with: pytest {request.node.nodeid} --seed {seed}")
    for at in _steps(world, rng, times, every_step):
        stop = world.run(world.plan(rng), at=at, fault=lambda child, pid: fault(world, child, pid, rng))
        _note(stop)
        world.check(recorded_once=fault is not _reorganise)


@pytest.mark.parametrize(
    ("fault", "times"), [(_kill, 3), (_cut, 2), (_reorganise, 1)], ids=["killed", "cut off", "reorganised"]
)
def test_a_merge_moves_every_point_exactly_once_whatever_happens_between_two_steps(
    world: World, fault: Fault, times: int, seed: int, every_step: bool, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(f"{seed} merge {request.node.callspec.id}")
    print(f"repeat with: pytest {request.node.nodeid} --seed {seed}")
    last = world.run(world.merge(rng)).step
    for at in range(1, last + 1) if every_step else [rng.randint(1, last) for _ in range(times)]:
        _note(world.run(world.merge(rng), at=at, fault=lambda child, pid: fault(world, child, pid, rng)))
        world.check(recorded_once=fault is not _reorganise)


@pytest.fixture(scope="module")
def path_of_group(world: World, seed: int) -> list[str]:
    """The names of the steps of a group to which nothing happens."""
    return world.run(world.group(random.Random(f"{seed} group"))).name.split("; ")


@pytest.mark.parametrize(
    ("fault", "times"),
    [(_kill, 2), (_cut, 2), (_kill_database, 1), (_restart_database, 1), (_reorganise, 1)],
    ids=["killed", "cut off", "database killed", "database restarted", "reorganised"],
)
def test_a_group_has_one_effect_a_key_whatever_happens_between_two_steps(
    world: World,
    path_of_group: list[str],
    fault: Fault,
    times: int,
    seed: int,
    every_step: bool,
    request: pytest.FixtureRequest,
) -> None:
    rng = random.Random(f"{seed} group {request.node.callspec.id}")
    print(f"repeat with: pytest {request.node.nodeid} --seed {seed}")
    handed_over = 1 + path_of_group.index("between group commit and answers")
    assert path_of_group[handed_over - 2] == "after COMMIT"
    some = [handed_over, *(rng.randint(1, handed_over) for _ in range(times - 1))]
    for at in range(1, len(path_of_group) + 1) if every_step else some:
        group = world.group(rng)
        _note(world.run(group, at=at, fault=lambda child, pid: fault(world, child, pid, rng)))
        world.check(recorded_once=fault is not _reorganise)
        world.check_answers(group)


def test_an_order_settles_exactly_once_when_the_chain_loses_its_last_blocks(
    world: World, seed: int, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(f"{seed} lost")
    print(f"repeat with: pytest {request.node.nodeid} --seed {seed}")
    for at in _steps(world, rng, by_day(2, at_night=4), every=False):
        older = world.keep_chain()
        for _ in range(rng.randint(0, 2)):
            world.run(world.plan(rng))

        def lose(child: Connection, pid: int, older: bytes = older) -> None:
            world.lose_blocks(older)
            child.send("go on")

        _note(world.run(world.plan(rng), at=at, fault=lose))
        world.check(recorded_once=False)


def test_the_steps_cover_the_whole_path(world: World, seed: int) -> None:
    """If the hooks missed accepting, batching, sending or projecting, the tests above would prove nothing."""
    path = world.run(world.plan(random.Random(seed))).name.split("; ")
    print(path)
    for step in (
        "before webhook",
        "after webhook",
        "COPY orders",
        "INSERT INTO transactions",
        "INSERT INTO blocks",
        "INSERT INTO batches",
        "UPDATE orders",
        "INSERT INTO accounts",
        "COPY entries",
        "before COMMIT",
        "after COMMIT",
    ):
        assert any(taken.startswith(step) for taken in path), step
    for method in ("eth_getTransactionCount", "eth_sendRawTransaction", "eth_blockNumber", "eth_getBlockByNumber"):
        assert {f"before {method}", f"after {method}"} <= set(path)
    assert len(path) > 30
    world.check()


def _steps(world: World, rng: random.Random, times: int, every: bool) -> Sequence[int]:
    """Chooses the steps to stop at: every one, or some at random."""
    last = world.run(world.plan(rng)).step
    assert last > 30
    return range(1, last + 1) if every else [rng.randint(1, last) for _ in range(times)]


def _note(stop: Stop) -> None:
    print(f"  step {stop.step:3}: {stop.name[:100]}")
