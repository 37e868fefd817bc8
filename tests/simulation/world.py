"""A schedule as it happens: the network's processes, its node, its merchants, and what goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.chain.calls import service as call_service
from clearing.chain.errors import ChainUnreachable
from clearing.kit.wakeups.channels import Channel
from clearing.notifications.webhooks import delivery
from clearing.notifications.webhooks.sending import Answer, Undelivered
from clearing.ordering.expiry.rounds import ExpiryRound
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders import finalisation, service
from clearing.pipeline import failed_calls, outbox, projection, projector
from clearing.pipeline.privileged_calls import SIGNING_ROLES, CallSigner
from clearing.pipeline.projector import Projector
from clearing.pipeline.sequencer import Sequencer
from tests.simulation.chain import Node
from tests.simulation.front import Front
from tests.simulation.merchants import Intent, Merchants
from tests.simulation.network import Image, SimulatedClient, Template, determined
from tests.simulation.plan import LENGTH, Plan, Start, Step, plan_of
from tests.simulation.scheduler import TROUBLE, Killed, Process, Threads, wait_for
from tests.simulation.weather import RECOVERY, Conditions, Weather
from tongdui import orders as wire
from tongdui.encoding import bytes_of

BLOCK_TIME = 1.0
END = LENGTH + 120.0
"""Seconds in which everything must have come to rest."""
_LONGEST_FLIGHT = 5.0
"""So many seconds after its moment a short schedule may begin, at the most: when nobody waits for an answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_ROUNDS_EVERY = 10.0
_JOB_SECONDS = 10.0
_AT_REST = """
    SELECT EXISTS (SELECT 1 FROM orders WHERE state IN ('accepted', 'submitted')),
           (SELECT hash FROM blocks ORDER BY number DESC LIMIT 1)
"""
_NOTIFIED = "notified"
NOTIFYING = (service, finalisation, projection, failed_calls, outbox, call_service)
"""The modules that wake others."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never happen."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


@dataclass(frozen=True, slots=True)
class Moment:
    """A schedule at a moment at which no client waits for an answer: others go on from it. All processes begin anew there."""

    image: Image
    begin: datetime
    now: float
    weather: Conditions
    intents: Sequence[Intent]
    attempts: Mapping[tuple[str, str], float]
    reverted: Mapping[tuple[int, int], int]
    mute: Collection[str]


class World:
    """One schedule, from the prepared network, or from the middle of another schedule, to its end."""

    def __init__(self, template: Template, plan: Plan) -> None:
        self.template, self.plan = template, plan
        before = _moment_of(template, plan.start) if plan.start is not None else None
        if before is None:
            self.chain = template.founded(plan.begin)
        else:
            self.chain = template.restore(before.image, before.begin, before.now)
        self.clock, self.scheduler = template.clock, template.clock.scheduler
        self.chance = random.Random(f"{plan.seed} chance")
        self.node = Node(self.chain)
        self.weather = Weather(self, before.weather.copy() if before is not None else None)
        self.front = Front(self.scheduler, self.chance)
        self.merchants = Merchants(self)
        self.violations: list[Violation] = []
        self.attempts: dict[tuple[str, str], float] = {}
        """When an event was first sent to a URL."""
        self.reverted: dict[tuple[int, int], int] = {}
        """By merchant and nonce: in how many batches that reverted an order was."""
        self.mute: set[str] = set()
        """URLs that take a request and say nothing."""
        if before is not None:
            self.merchants.intents += before.intents
            self.attempts |= before.attempts
            self.reverted |= before.reverted
            self.mute |= before.mute
        self.in_flight = 0
        """How many clients and webhooks wait for an answer."""
        self._listening: dict[str, tuple[Process, Collection[Channel]]] = {}
        """The daemons that pause, and what wakes them."""
        self._open_steps = len(plan.steps)
        template.on_commit = self._after_commit

    def run(self, judge: Callable[[World], None], is_heard: Callable[[World], bool]) -> list[Violation]:
        """Runs the schedule until everything has come to rest, and has it judged; what must not have happened. It has not come to
        rest before everybody `is_heard`."""
        with self._living():
            self.pass_moments()
            at = self.scheduler.now
            last = at + END
            while at < last:
                at += 1.0
                self.scheduler.run(at)
                if not self._open_steps and self._is_at_rest() and is_heard(self):
                    break
            judge(self)
        return self.violations

    @contextmanager
    def _living(self) -> Iterator[None]:
        """All processes and steps, each of which begins at its moment."""
        with ExitStack() as stack:
            stack.enter_context(determined(self.plan.seed, self.clock))
            stack.enter_context(self._virtual_threads())
            stack.callback(self.scheduler.close)
            for name, live in self._processes().items():
                process = self.scheduler.spawn(name, partial(self._forever, name, live))
                if name == "gateway":
                    self.front.process = process
            self.scheduler.spawn("chain", self._mine)
            for step in self.plan.steps:
                self.scheduler.spawn(f"step {step.number}", partial(self._do, step), step.at)
            yield

    def pass_moments(self) -> None:
        """Runs until the last moment at which other schedules begin, and keeps what the network is like at each."""
        for number, at in enumerate(self.plan.moments):
            self.scheduler.run(at)
            self.scheduler.run(at + _LONGEST_FLIGHT, stop=lambda: not self.in_flight)
            self.template.moments[self.plan.seed, number] = self._moment() if not self.in_flight else None

    def _moment(self) -> Moment:
        return Moment(
            self.template.image(self.chain),
            self.clock.begin,
            self.scheduler.now,
            self.weather.state.copy(),
            list(self.merchants.intents),
            dict(self.attempts),
            dict(self.reverted),
            set(self.mute),
        )

    def violate(self, rule: str, what: str) -> None:
        """Notes something that must never happen."""
        self.scheduler.say(f"VIOLATION {rule}: {what}")
        self.violations.append(Violation(rule, what))

    def seconds_at(self, moment: datetime) -> float:
        """A moment as the scheduler counts."""
        return (moment - self.clock.begin).total_seconds()

    def _do(self, step: Step) -> None:
        self.scheduler.say(str(step))
        who = self.merchants if hasattr(self.merchants, step.what) else self.weather
        try:
            with self.flight():
                getattr(who, step.what)(step, random.Random(f"{self.plan.seed} step {step.number}"))
        finally:
            self._open_steps -= 1

    @contextmanager
    def flight(self) -> Iterator[None]:
        """Somebody waits for an answer."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def _is_at_rest(self) -> bool:
        with self.template.raw() as connection:
            is_open, newest = connection.execute(_AT_REST).fetchone()
        return not is_open and newest == bytes_of(self.chain.head.hash) and not self.node.behind

    # ---------------------------------------------------------------- processes

    def _processes(self) -> dict[str, Callable[[], None]]:
        signer = partial(self._daemon, "signer", CallSigner, self.template.keys, SIGNING_ROLES)
        return {
            "sequencer": partial(self._daemon, "sequencer", Sequencer, self.template.keys),
            "projector": partial(self._daemon, "projector", Projector),
            "gateway": self.front.live,
            "rounds": self._rounds,
            **({"worker": self._worker} if self.plan.listens else {}),
            **({"signer": signer} if self.plan.signs else {}),
        }

    def _forever(self, name: str, live: Callable[[], None]) -> None:
        """Starts a process again that dies. All that it had in mind is gone."""
        while True:
            try:
                live()
            except Killed:
                if self.scheduler.over:
                    raise
            self.weather.be_rough(RECOVERY)
            self.scheduler.kill_threads(name)
            self.template.databases[name].shared.clear()
            self.scheduler.sleep(self.chance.uniform(0.2, 2.0))
            self.scheduler.say(f"{name} starts again")

    def _daemon(self, name: str, kind: Callable[..., Any], *more: Any) -> None:
        """As `clearing/runtime/daemon.py`, whose pauses the scheduler keeps."""
        client = WireClient(self, self.node)
        daemon = kind(self.template.databases[name], client, self.template.settings, *more)
        woken, failed = False, 0.0
        while True:
            channels: Collection[Channel] = ()
            try:
                pause = daemon.pause(worked=daemon.step(), woken=woken)
                seconds, channels, failed = pause.seconds, pause.channels, 0.0
            except TROUBLE as error:
                seconds = failed = min(max(failed * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
                self.scheduler.say(f"failed: {error}")
            except Exception as error:  # noqa: BLE001 (a bug: the daemon would go on, but the schedule has failed)
                seconds = failed = min(max(failed * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
                self.violate("no bug", f"{name} failed unexpectedly: {type(error).__name__}: {error}")
            if channels:
                self._listening[name] = self.scheduler.current, channels
            woken = self.scheduler.wait(seconds)
            self._listening.pop(name, None)

    def _notify(self, session: Session, channel: Channel) -> None:
        """As PostgreSQL does it: whoever listens is woken by the commit, and by nothing but its own channels."""
        session.info.setdefault(_NOTIFIED, set()).add(channel)

    def _after_commit(self, session: Session) -> None:
        for channel in sorted(session.info.pop(_NOTIFIED, ())):
            for name in [name for name, (_, channels) in self._listening.items() if channel in channels]:
                self._wake(name)

    def _wake(self, name: str, after: float = 0.0) -> None:
        if (found := self._listening.pop(name, None)) is not None:
            self.scheduler.wake(found[0], after)

    def _worker(self) -> None:
        """The job that delivers webhooks, again and again."""
        template = self.template
        deliverer = delivery.Deliverer(
            template.databases["worker"], template.settings, template.keyrings.webhook_secrets
        )
        while True:
            until = self.scheduler.now + _JOB_SECONDS
            try:
                with self.flight():
                    while self.scheduler.now < until and deliverer.step():
                        pass
            except SQLAlchemyError as error:
                self.scheduler.say(f"failed: {error}")
            self.scheduler.sleep(template.settings.webhook_interval)

    def send(self, url: str, message: Any, _secrets: Any, _headers: Any = None) -> Answer:
        """The merchants' servers, in place of the product's sender."""
        self.scheduler.point("before a webhook")
        self.attempts.setdefault((url, message.id), self.scheduler.now)
        if url in self.mute:
            self.scheduler.sleep(self.template.settings.webhook_timeout)
            raise Undelivered("the time for this request has run out")
        self.scheduler.sleep(self.chance.uniform(0.01, 0.1))
        self.scheduler.point("after a webhook")
        return Answer(200, "")

    def _rounds(self) -> None:
        """The jobs that end holds and burn points."""
        template, database = self.template, self.template.databases["rounds"]
        self.scheduler.sleep(self.chance.uniform(0, _ROUNDS_EVERY))
        while True:
            try:
                with database.session.begin() as session:
                    HoldService(session, network=template.network).tidy(500)
                ExpiryRound(database, template.settings, template.keyring).run()
            except SQLAlchemyError as error:
                self.scheduler.say(f"failed: {error}")
            self.scheduler.sleep(_ROUNDS_EVERY)

    @contextmanager
    def _virtual_threads(self) -> Iterator[None]:
        """The threads and pauses of the product are the scheduler's. The projector does not look for a block ever more seldom: one
        that is mined wakes it, after a moment."""

        def pool(most: int, thread_name_prefix: str = "") -> Threads:
            return Threads(self.scheduler, most, f"worker {thread_name_prefix}")

        with (
            patch.object(delivery, "ThreadPoolExecutor", pool),
            patch.object(delivery, "wait", partial(wait_for, self.scheduler)),
            patch.object(delivery, "Sender", lambda **_: self),
            patch.object(projector, "_FIRST_PAUSE", 2.0),
            ExitStack() as stack,
        ):
            for module in NOTIFYING:
                stack.enter_context(patch.object(module, "notify", self._notify))
            yield

    # ---------------------------------------------------------------- the chain

    def _mine(self) -> None:
        while True:
            self.scheduler.sleep(BLOCK_TIME)
            if self.weather.has_no_blocks or (not self.chain.pool and self.chance.random() < 0.9):
                continue
            is_rough = self.weather.is_rough()
            block = self.chain.mine(
                self.clock.unix(), {one for one in self.chain.pool if is_rough and self.chance.random() < 0.3}
            )
            ends = []
            for transaction, receipt in zip(block.transactions, block.receipts, strict=True):
                ends.append("done" if receipt["status"] == "0x1" else "reverted")
                if ends[-1] == "reverted" and transaction.data[:4] == wire.EXECUTE_SELECTOR:
                    for signed in wire.decode_calldata(transaction.data):
                        key = (signed.order.merchant, signed.order.nonce)
                        self.reverted[key] = self.reverted.get(key, 0) + 1
            if ends:
                self.scheduler.say(f"block {block.number}: {', '.join(ends)}")
                self._wake("projector", self.chance.uniform(0.001, 0.1))


def _moment_of(template: Template, start: Start) -> Moment | None:
    """The middle of a long schedule, which is run for that if it was not a moment ago; nothing where there was never a moment
    without somebody who waits."""
    if start not in template.moments:
        template.moments.clear()
        long = World(template, plan_of(start.seed))
        with long._living():
            long.pass_moments()
    found: Moment | None = template.moments[start]
    return found


class WireClient(SimulatedClient):
    """The node as one process sees it: late, silent or cut off, as the weather will have it."""

    def __init__(self, world: World, node: Node) -> None:
        super().__init__(node)
        self._world = world

    def _post(self, payload: Any) -> Any:
        scheduler, weather = self._world.scheduler, self._world.weather
        first = payload[0] if isinstance(payload, list) else payload
        scheduler.point(f"before {first['method']}")
        scheduler.sleep(weather.latency())
        is_lost = weather.is_silent and self._world.chance.random() < 0.5
        if weather.is_silent and not is_lost:
            raise ChainUnreachable("the node is silent")
        answer = super()._post(payload)
        if first["method"] == "eth_sendRawTransaction":
            answers = answer if isinstance(answer, list) else [answer]
            scheduler.say(f"sends {[one.get('error', {}).get('message', 'taken') for one in answers]}")
        scheduler.sleep(weather.latency())
        if is_lost:
            raise ChainUnreachable("the answer was lost")
        scheduler.point(f"after {first['method']}")
        return answer
