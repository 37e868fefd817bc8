"""No cycle of exchange agreements gives more points than went in, at any time. The contract looks for none: it would cost too much.

Only where an agreement begins can a cycle open, so the audit looks at each beginning once its block is over: what is registered,
superseded and ended in one block holds together.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import prod
from typing import Any

from ...orders import AgreementTerms
from ..findings import Finding, Place
from ..network import NetworkState
from ..tables import Tables
from ..watching import BlockSeen, EventSeen, Watcher

RULES = {"agreements.cycle": "no cycle of exchange agreements in force together gives more points than went in"}

_EXCHANGE = 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """One point of `source` gives `rate` points of `target`."""

    source: int
    target: int
    rate: Fraction


@dataclass(frozen=True, slots=True)
class _Agreement:
    """An exchange with the moments between which it is in force, and where it was registered."""

    exchange: Exchange
    begin: int
    until: int
    place: Place


class Worths:
    """How many points at most may come of one: for each program a worth such that no exchange leads to more than its target's.

    There are such worths exactly as long as no cycle gains. So a new exchange changes only the worths that it reaches, and where it
    would change that of its own source, it has closed a cycle that gains.
    """

    def __init__(self) -> None:
        self.exchanges: dict[int, Exchange] = {}
        """By agreement. None of their cycles gains."""
        self._leading_away: defaultdict[int, dict[int, Exchange]] = defaultdict(dict)
        self._worths: defaultdict[int, Fraction] = defaultdict(lambda: Fraction(1))
        self.dropped = 0
        """How many exchanges are gone. Each may have left worths that are longer fractions than they need be."""

    def add(self, agreement: int, new: Exchange) -> list[int]:
        """Adds an exchange, unless it closes a cycle that gains: then returns the agreements of the cycle, the new one first."""
        worths = {new.target: self._worths[new.source] * new.rate}
        if worths[new.target] <= self._worths[new.target]:
            worths = {}
        reached_by = {new.target: agreement}
        waiting = deque(worths)
        while waiting:
            program = waiting.popleft()
            if program == new.source:
                return self._way_back(agreement, new, reached_by)
            for number, exchange in self._leading_away[program].items():
                worth = worths[program] * exchange.rate
                if worth > worths.get(exchange.target, self._worths[exchange.target]):
                    worths[exchange.target] = worth
                    reached_by[exchange.target] = number
                    waiting.append(exchange.target)
        self._worths.update(worths)
        self.exchanges[agreement] = self._leading_away[new.source][agreement] = new
        return []

    def drop(self, agreement: int) -> None:
        """Forgets an exchange. The worths hold without it, too."""
        del self._leading_away[self.exchanges.pop(agreement).source][agreement]
        self.dropped += 1

    def _way_back(self, agreement: int, new: Exchange, reached_by: dict[int, int]) -> list[int]:
        way = [reached_by[new.source]]
        while way[-1] != agreement:
            way.append(reached_by[self.exchanges[way[-1]].source])
        return way[::-1]


class Cycles(Watcher):
    """Looks for cycles wherever an agreement begins to be in force."""

    def __init__(self, tables: Tables) -> None:
        self._agreements = tables.table("rule.cycles")
        """Number -> the parts of an `_Agreement`."""
        self._checked = tables.table("rule.cycles.checked", default=0)
        """0 -> the moment before which all beginnings were looked at."""
        self._told = tables.table("rule.cycles.told", default=False)
        """Agreements of a cycle -> whether it is among the findings."""
        self._worths = Worths()
        self._open: dict[int, list[int]] = {}
        """By the agreement that closed it, which is not among the worths: a cycle that gains."""
        self._known = {number: _agreement(*row) for number, row in self._agreements.stored()}
        """What is in the table: all of it is needed again and again."""
        self._coming = [(one.begin, number) for number, one in self._known.items() if one.begin >= self._checked[0]]
        """Beginnings that are still to be looked at, as a heap."""
        heapq.heapify(self._coming)
        self._catch_up()

    def _catch_up(self) -> None:
        """Looks at all moments again that were looked at before: the same worths come of it. Agreements were registered before they
        began, and ended no earlier than somebody said so, so what was in force then still stands in the table."""
        for moment in sorted({one.begin for one in self._known.values() if one.begin < self._checked[0]}):
            again = list(self._look_at(moment))
            assert not again, "it was told before"

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes in agreements as they are registered and end."""
        found = list(self._look_until(seen.block.time))
        if seen.name == "AgreementRegistered":
            self._register(seen)
        elif seen.name == "AgreementEnds" and seen.values[0] in self._agreements:
            number, until, _ = seen.values
            *kept, _ = self._agreements[number]
            self._keep(number, (*kept, until))
        return found

    def on_succession(self, state: NetworkState, block: BlockSeen) -> None:
        """Takes over the agreements. They were compared when they were registered."""
        for number, agreement in state.agreements.stored():
            self._add(number, agreement.terms, block.number, "", block.time)

    def at_end(self, block: BlockSeen) -> Sequence[Finding]:
        """Looks at what began up to the last block."""
        return list(self._look_until(block.time + 1))

    def _register(self, seen: EventSeen) -> None:
        number, _, values, *_ = seen.values
        self._add(number, AgreementTerms(*values), seen.block.number, seen.transaction, seen.block.time)

    def _add(self, number: int, terms: AgreementTerms, block: int, transaction: str, now: int) -> None:
        if terms.kind != _EXCHANGE or terms.valid_until <= now:
            return
        begin = max(terms.valid_from, now)
        programs, rate = (terms.source_program, terms.target_program), (terms.rate_num, terms.rate_den)
        self._keep(number, (*programs, *rate, block, transaction, begin, terms.valid_until))
        heapq.heappush(self._coming, (begin, number))

    def _keep(self, number: int, row: tuple[Any, ...]) -> None:
        self._agreements[number] = row
        self._known[number] = _agreement(*row)

    def _look_until(self, time: int) -> Iterator[Finding]:
        """Looks at all beginnings before this time."""
        coming = self._coming
        while coming and coming[0][0] < time:
            moment = coming[0][0]
            while coming and coming[0][0] == moment:
                heapq.heappop(coming)
            self._checked[0] = moment + 1
            yield from self._look_at(moment)

    def _look_at(self, moment: int) -> Iterator[Finding]:
        in_force = {number: one.exchange for number, one in self._known.items() if one.begin <= moment < one.until}
        for number in self._worths.exchanges.keys() - in_force.keys():
            self._worths.drop(number)
        if self._worths.dropped > len(in_force):
            self._worths = Worths()
        self._open = {number: cycle for number, cycle in self._open.items() if in_force.keys() >= set(cycle)}
        for number in sorted(in_force.keys() - self._worths.exchanges.keys() - self._open.keys()):
            cycle = self._worths.add(number, in_force[number])
            if not cycle:
                continue
            self._open[number] = cycle
            if not self._told[tuple(cycle)]:
                self._told[tuple(cycle)] = True
                yield self._finding(cycle, in_force, moment)

    def _finding(self, cycle: list[int], in_force: dict[int, Exchange], moment: int) -> Finding:
        gain = prod(in_force[number].rate for number in cycle)
        way = ", ".join(
            f"{one.rate} points of program {one.target} for one of program {one.source} (agreement {number})"
            for number, one in ((number, in_force[number]) for number in cycle)
        )
        since = datetime.fromtimestamp(moment, UTC)
        return Finding(
            "agreements.cycle",
            "agreement " + ", ".join(map(str, sorted(cycle))),
            f"one point of program {in_force[cycle[0]].source} comes back as at most one",
            f"from {since:%Y-%m-%d %H:%M:%S} UTC on it comes back as {gain} points: {way}",
            self._known[cycle[0]].place,
        )


def _agreement(
    source: int, target: int, rate_num: int, rate_den: int, block: int, transaction: str, begin: int, until: int
) -> _Agreement:
    return _Agreement(Exchange(source, target, Fraction(rate_num, rate_den)), begin, until, Place(block, transaction))
