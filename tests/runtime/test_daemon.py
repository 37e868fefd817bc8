"""A daemon's loop: what ends its pauses, and how it works on wake-ups alone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from clearing.chain.errors import ChainUnreachable
from clearing.kit.database import Database
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.kit.wakeups.listener import listening
from clearing.ordering.orders.models import OrderState
from clearing.pipeline.failures.repository import FailureRepository
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.projector import Projector
from clearing.pipeline.sequencer import Sequencer
from clearing.runtime import daemon
from clearing.runtime.daemon import Attention
from clearing.runtime.preflight.refusal import CannotRun
from tests.gateway.site import until
from tests.support.chainless import ChainlessNetwork
from tests.support.harness import Harness

LONG = 3_600.0


def test_what_it_waits_for_ends_a_pause(request: pytest.FixtureRequest) -> None:
    attention = Attention()
    ring = threading.Timer(0.05, attention.hear, [Channel.SENT])
    request.addfinalizer(ring.join)
    ring.start()
    assert attention.pause(Pause(LONG, (Channel.SENT,)))


def test_what_happened_before_the_pause_ends_it_at_once() -> None:
    attention = Attention()
    attention.hear(Channel.SENT)
    assert attention.pause(Pause(LONG, (Channel.SENT, Channel.DECIDED)))


def test_what_it_does_not_wait_for_ends_no_pause() -> None:
    attention = Attention()
    attention.hear(Channel.REQUESTED)
    assert not attention.pause(Pause(0.01, (Channel.DECIDED,)))
    assert not attention.pause(Pause(0.01, (Channel.REQUESTED,))), "the step between the two pauses has seen it"


def test_a_signal_ends_a_pause() -> None:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        attention = daemon.stop_on_signals()
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGTERM]).start()
        attention.pause(Pause(LONG))
        assert attention.is_stopped()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


class _Late:
    """Steps whose node answers at the second try, and then has another contract."""

    tries = 0

    def step(self) -> bool:
        self.tries += 1
        if self.tries == 1:
            raise ChainUnreachable("the chain node does not answer")
        raise CannotRun("TONGDUI_CONTRACT: another")

    def pause(self, *, worked: bool, woken: bool) -> Pause:
        raise AssertionError("no step ever works")


def test_a_daemon_waits_for_its_node_and_ends_where_that_is_the_wrong_one(chainless: ChainlessNetwork) -> None:
    leadership, steps = Leadership(chainless.database, "projector"), _Late()
    with pytest.raises(CannotRun, match="TONGDUI_CONTRACT: another"):
        daemon.run("projector", steps, leadership, Attention())
    assert steps.tries == 2
    spare = Leadership(chainless.database, "projector")
    until(spare.acquire)
    spare.release()


class _Failing:
    """Steps that fail in these ways, one after another, and then end the daemon. It remembers what was known before each."""

    def __init__(self, database: Database, attention: Attention, *errors: Exception | None) -> None:
        self._database, self._attention, self._errors = database, attention, list(errors)
        self.known: list[str | None] = []

    def step(self) -> bool:
        with self._database.reading() as session:
            failure = FailureRepository(session).of("projector")
            self.known.append(failure and failure.error)
        if not self._errors:
            self._attention.stop()
            return False
        error = self._errors.pop(0)
        if error is not None:
            raise error
        return True

    def pause(self, *, worked: bool, woken: bool) -> Pause:
        return Pause(0.0)


def test_a_daemon_that_does_not_get_on_tells_why_until_it_does(chainless: ChainlessNetwork) -> None:
    with chainless.database.session.begin() as session:
        FailureRepository(session).note(["projector"], "left by one that was killed")
    attention = Attention()
    no_answer, odd = ChainUnreachable("no answer"), KeyError("x" * 1_000)
    broken = OperationalError("SELECT 'secret'", (), OSError())
    steps = _Failing(chainless.database, attention, None, no_answer, no_answer, broken, odd, None)
    daemon.run("projector", steps, Leadership(chainless.database, "projector"), attention)
    assert steps.known == [
        "left by one that was killed",
        None,
        "no answer",
        "no answer",
        "the database does not answer as it should (OperationalError)",
        "an error that it does not expect (KeyError): its log says more",
        None,
    ]


class _OnceLost(Leadership):
    """A leadership that is lost before the second step, and found again after another leader has failed."""

    asked = 0

    def acquire(self) -> bool:
        self.asked += 1
        if self.asked == 2:
            with self.database.session.begin() as session:
                FailureRepository(session).note(["projector"], "of the other one")
            return False
        return super().acquire()


def test_what_another_leader_has_left_is_cleared(chainless: ChainlessNetwork) -> None:
    attention = Attention()
    steps = _Failing(chainless.database, attention, None, None)
    daemon.run("projector", steps, _OnceLost(chainless.database, "projector"), attention)
    assert steps.known == [None, "of the other one", None]


@contextmanager
def _running(harness: Harness, name: str, steps: daemon.Steps) -> Iterator[None]:
    """A daemon as its process runs it, in a thread."""
    attention = Attention()
    leadership = Leadership(harness.database, name)
    thread = threading.Thread(target=daemon.run, args=(name, steps, leadership, attention))
    with listening(harness.database, list(Channel), attention.hear):
        thread.start()
        try:
            yield
        finally:
            attention.stop()
            thread.join()


@pytest.fixture
def patient(lone_harness: Harness) -> Iterator[Harness]:
    """A network whose daemons look for work once an hour, unless they are woken."""
    harness = lone_harness
    harness.settings.poll_interval = harness.settings.batch_max_age = LONG
    sequencer = Sequencer(harness.database, harness.client, harness.settings, harness.keys)
    projector = Projector(harness.database, harness.client, harness.settings)
    with _running(harness, "sequencer", sequencer), _running(harness, "projector", projector):
        time.sleep(0.2)  # most likely, both have nothing to do by now
        yield harness


def test_wake_ups_alone_carry_orders_to_their_end(patient: Harness) -> None:
    member = patient.member()
    for points in (1, 2, 3):  # each finds daemons that have long been idle
        order = patient.issue(member, points)
        until(lambda: patient.order(order).state is OrderState.SETTLED)  # noqa: B023 (called at once)
    crowd = [patient.issue(member, 10 + number) for number in range(8)]
    until(lambda: all(patient.order(order).state is OrderState.SETTLED for order in crowd))
    assert patient.posted(member) == 1 + 2 + 3 + sum(range(10, 18))
