"""The daemon, the jobs and `loyalty check` on a real network."""

from __future__ import annotations

import threading
import time

import pytest

from loyalty.commands import FOUND, main
from loyalty.jobs import work
from loyalty.network.daemon import Daemon
from loyalty.network.models import WishState
from tests.loyalty.network.test_deaths import environment
from tests.loyalty.network.world import PATIENCE, World


def test_a_daemon_sends_what_comes_and_stops_between_two_steps(world: World) -> None:
    daemon = Daemon(world.sender(), interval=0.05)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        member = world.station.member()
        for number in range(3):
            world.wish(str(number), member, 10)
        deadline = time.monotonic() + PATIENCE
        while set(world.states()) != {WishState.SETTLED}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        daemon.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert world.station.posted(member) == 30


def test_the_safety_net_sends_and_the_check_says_by_its_code_that_it_found_something(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    member = world.station.member()
    world.wish("1", member, 10)
    deadline = time.monotonic() + PATIENCE
    while world.states() != [WishState.SETTLED]:
        assert time.monotonic() < deadline
        work.send(world.settings)
        time.sleep(0.05)
    for name, value in environment(world).items():
        if name.startswith("LOYALTY_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        main(["check"])
    printed = capsys.readouterr().out.splitlines()[-1]
    assert printed.startswith("1 wishes and ")
    # Other programmes of these tests have made movements with the same merchant's key, which this one does not know.
    assert end.value.code == (0 if printed.endswith(" 0 new differences") else FOUND)
    with pytest.raises(SystemExit) as end:
        main(["check"])
    assert end.value.code == 0, "what is known is not found again"
