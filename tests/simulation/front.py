"""The gateway as one process: it accepts what has arrived meanwhile in groups, and runs everything else by itself.

It works as `gateway/http/groups.py` and the routes do, with the product's own `accept_group`; only HTTP is missing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.http.acceptance import Applicant, accept_group, run_alone
from gateway.http.groups import LARGEST
from tests.simulation.scheduler import Process, Scheduler


class NoAnswer(Exception):
    """The gateway died, or was too slow."""


@dataclass(eq=False)
class Asked:
    """A request on its way to the gateway."""

    work: Applicant | Callable[[], Any]
    client: Process
    waits: bool = True
    outcome: Any = None
    is_answered: bool = False


class Front:
    """Requests that wait, and the process that answers them."""

    def __init__(self, scheduler: Scheduler, chance: random.Random) -> None:
        self._scheduler, self._chance = scheduler, chance
        self._asked: deque[Asked] = deque()
        self._idles = False
        self.process: Process | None = None

    def live(self) -> None:
        while True:
            while not self._asked:
                self._idles = True
                self._scheduler.wait(None)
                self._idles = False
            group = self._next_group()
            try:
                if isinstance(group[0].work, Applicant):
                    self._accept([one.work for one in group if isinstance(one.work, Applicant)], group)
                else:
                    self._answer(group[0], self._outcome_of(group[0].work))
            except BaseException:
                for one in group:
                    self._answer(one, NoAnswer("the gateway is gone"))
                raise

    def _next_group(self) -> list[Asked]:
        first = self._asked.popleft()
        if not isinstance(first.work, Applicant):
            return [first]
        group, keys, size = [first], {first.work.identity}, first.work.size
        for one in list(self._asked):
            if not isinstance(one.work, Applicant) or one.work.identity in keys or one.work.submitted.is_alone:
                continue
            if first.work.submitted.is_alone or size + one.work.size > LARGEST:
                break
            group.append(one)
            keys.add(one.work.identity)
            size += one.work.size
            self._asked.remove(one)
        return group

    def _accept(self, applicants: Sequence[Applicant], group: Sequence[Asked]) -> None:
        if applicants[0].submitted.is_alone:
            self._answer(group[0], self._outcome_of(partial(run_alone, applicants[0].call, applicants[0].submitted)))
            return
        for asked, outcome in zip(group, accept_group(applicants), strict=True):
            one = asked.work
            shall_run_alone = outcome is None and isinstance(one, Applicant)
            self._answer(
                asked, self._outcome_of(partial(run_alone, one.call, one.submitted)) if shall_run_alone else outcome
            )

    @staticmethod
    def _outcome_of(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 (the client gets it)
            return error

    def _answer(self, asked: Asked, outcome: Any) -> None:
        if asked.is_answered:
            return
        asked.outcome, asked.is_answered = outcome, True
        if asked.waits:
            self._scheduler.wake(asked.client)

    def ask(self, work: Applicant | Callable[[], Any]) -> Any:
        """Sends a request to the gateway; its answer. Raises what it raises, or NoAnswer."""
        self._scheduler.sleep(self._chance.uniform(0.001, 0.05))
        asked = Asked(work, self._scheduler.current)
        self._asked.append(asked)
        if self.process is not None and self._idles:
            self._idles = False
            self._scheduler.wake(self.process)
        if not asked.is_answered:
            self._scheduler.wait(30.0)
        asked.waits = False
        if not asked.is_answered:
            raise NoAnswer("no answer in 30 seconds")
        if isinstance(asked.outcome, BaseException):
            raise asked.outcome
        return asked.outcome
