"""Cycles of exchange agreements: found where there is one, at the moment at which it opens, and nowhere else."""

from __future__ import annotations

from dataclasses import astuple, replace
from fractions import Fraction
from itertools import permutations
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.audit.rules.seen import TERMS, block_of, event, told
from tests.support.nightly import by_day
from tongdui.audit.findings import Finding, Place
from tongdui.audit.rules.cycles import Cycles, Exchange, Worths
from tongdui.audit.tables import Tables
from tongdui.audit.watching import EventSeen
from tongdui.encoding import ZERO_WORD

FOREVER = 2**40 - 1


def registered(
    number: int,
    source: int,
    target: int,
    rate: str,
    *,
    at: int = 1_000,
    begin: int = 0,
    until: int = FOREVER,
    kind: int = 1,
) -> EventSeen:
    exact = Fraction(rate)
    terms = replace(
        TERMS,
        kind=kind,
        source_program=source,
        target_program=target,
        rate_num=exact.numerator,
        rate_den=exact.denominator,
        valid_from=begin,
        valid_until=until,
    )
    return event("AgreementRegistered", number, ZERO_WORD, astuple(terms), b"", b"", time=at, number=number)


def ends(number: int, when: int, *, at: int, successor: int = 0) -> EventSeen:
    return event("AgreementEnds", number, when, successor, time=at, number=100 + number)


def audited(*events: EventSeen, end: int = 5_000) -> list[Finding]:
    watcher = Cycles(Tables())
    return [*told(watcher, events), *watcher.at_end(block_of(0, time=end))]


def test_a_cycle_that_gains_is_named_with_its_agreements_programs_and_gain() -> None:
    (one,) = audited(
        registered(1, 1, 2, "2/3"), registered(2, 2, 3, "1/2", at=2_000), registered(3, 3, 1, "3.15", at=3_000)
    )
    assert one == Finding(
        "agreements.cycle",
        "agreement 1, 2, 3",
        "one point of program 3 comes back as at most one",
        "from 1970-01-01 00:50:00 UTC on it comes back as 21/20 points: "
        "63/20 points of program 1 for one of program 3 (agreement 3), "
        "2/3 points of program 2 for one of program 1 (agreement 1), 1/2 points of program 3 for one of program 2 (agreement 2)",
        Place(3, f"0x{3:064x}"),
    )


def test_a_cycle_that_gives_back_what_went_in_is_none() -> None:
    assert audited(registered(1, 1, 2, "2/3"), registered(2, 2, 1, "3/2")) == []
    assert audited(registered(1, 1, 2, "2/3"), registered(2, 2, 1, f"{3 * 10**8 + 1}/{2 * 10**8}")) != []


def test_an_acceptance_is_no_exchange() -> None:
    assert audited(registered(1, 1, 2, "2"), registered(2, 2, 1, "2", kind=2)) == []


def test_agreements_that_are_never_in_force_together_make_no_cycle() -> None:
    assert audited(registered(1, 1, 2, "2", until=2_000), registered(2, 2, 1, "2", at=1_500, begin=2_000)) == []
    assert audited(registered(1, 1, 2, "2", until=2_001), registered(2, 2, 1, "2", at=1_500, begin=2_000)) != []


def test_a_cycle_opens_when_its_last_agreement_begins_even_if_nothing_happens_then() -> None:
    events = registered(1, 1, 2, "2"), registered(2, 2, 1, "2", begin=4_000)
    assert audited(*events, end=3_999) == []
    (one,) = audited(*events, end=4_000)
    assert "from 1970-01-01 01:06:40 UTC on" in one.found
    assert audited(*events, ends(1, 3_500, at=3_000)) == []
    assert [found.found for found in audited(*events, ends(1, 4_500, at=4_200))] == [one.found]


def test_terms_that_replace_others_in_the_same_block_are_looked_at_with_their_end() -> None:
    old, back = registered(1, 1, 2, "2"), registered(2, 2, 1, "1/2")
    new = registered(3, 2, 1, "2/3", at=2_000)
    assert audited(old, back, new, ends(1, 2_000, at=2_000, successor=3)) == []
    assert audited(old, back, new, ends(1, 2_060, at=2_000, successor=3)) != [], "the grace counts"


def test_what_follows_on_an_open_cycle_is_still_looked_at() -> None:
    events = [registered(1, 1, 2, "2"), registered(2, 2, 1, "2"), registered(3, 3, 4, "2", at=1_500)]
    events += [ends(1, 2_000, at=2_000), registered(4, 4, 3, "1", at=3_000), registered(5, 1, 2, "1/2", at=3_500)]
    assert [one.subject for one in audited(*events)] == ["agreement 1, 2", "agreement 3, 4"]


def test_a_cycle_is_told_once_even_if_the_audit_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    found = []
    for events in ([registered(1, 1, 2, "2")], [registered(2, 2, 1, "2")], [registered(3, 3, 1, "2", at=2_000)]):
        tables = Tables(tmp_path / "state")
        found += told(Cycles(tables), events)
        tables.checkpoint()
        tables.close()
    assert [one.subject for one in found] == ["agreement 1, 2"]


EDGES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from(["1/2", "2/3", "1", "3/2", "2"])).filter(
        lambda edge: edge[0] != edge[1]
    ),
    max_size=9,
)


@given(EDGES, st.lists(st.integers(1, 9), max_size=3))
@settings(max_examples=by_day(150, at_night=3_000))
def test_a_cycle_is_found_exactly_where_there_is_one(edges: list[tuple[int, int, str]], ended: list[int]) -> None:
    """Compared with trying out all ways round."""
    worths = Worths()
    for number, (source, target, rate) in enumerate(edges, 1):
        new = Exchange(source, target, Fraction(rate))
        gains = _gains({**worths.exchanges, number: new})
        cycle = worths.add(number, new)
        assert bool(cycle) == gains
        if cycle:
            known = {**worths.exchanges, number: new}
            assert cycle[0] == number
            assert all(known[a].target == known[b].source for a, b in zip(cycle, [*cycle[1:], number], strict=True))
            assert prod(known[one].rate for one in cycle) > 1
        if number in ended and worths.exchanges:
            worths.drop(max(worths.exchanges))


BEGINNINGS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9), st.integers(0, 12)), min_size=9, max_size=9)
"""For each agreement: how long after its registration it begins, how long it lasts, and when somebody ends it, if in time."""


@given(EDGES, BEGINNINGS, st.sets(st.integers(0, 20)))
@example(
    edges=[
        (1, 2, "1/2"),
        (1, 2, "1/2"),
        (2, 3, "3/2"),
        (1, 2, "1/2"),
        (1, 2, "1/2"),
        (3, 2, "1"),
        *2 * [(1, 2, "1/2")],
    ],
    times=[(0, 1, 0), (0, 1, 0), (7, 2, 0), (0, 1, 0), (0, 1, 0), (0, 3, 0), *3 * [(0, 1, 0)]],
    stops={7},
)  # the older agreement begins later, so whoever begins anew finds the cycle from its other end
@settings(max_examples=by_day(15, at_night=2_000))
def test_an_audit_that_goes_on_finds_what_a_whole_one_finds(
    edges: list[tuple[int, int, str]], times: list[tuple[int, int, int]], stops: set[int]
) -> None:
    events: list[tuple[int, EventSeen]] = []
    for number, ((source, target, rate), (wait, lasts, ended)) in enumerate(zip(edges, times, strict=False), 1):
        at, begin = 2 * number, 2 * number + wait
        events.append((at, registered(number, source, target, rate, at=at, begin=begin, until=begin + lasts)))
        if at < ended < begin + lasts:
            events.append((ended, ends(number, ended, at=ended)))
    events.sort(key=lambda one: one[0])
    whole = audited(*(event for _, event in events), end=50)
    with TemporaryDirectory() as directory:
        found = []
        for place in range(len(events) + 1):
            if place == 0 or place in stops:
                tables = Tables(Path(directory) / "state")
                watcher = Cycles(tables)
            if place < len(events):
                found += told(watcher, [events[place][1]])
            if place == len(events):
                found += watcher.at_end(block_of(0, time=50))
            if place == len(events) or place + 1 in stops:
                tables.checkpoint()
                tables.close()
    assert found == whole


def _gains(exchanges: dict[int, Exchange]) -> bool:
    best: dict[tuple[int, int], Fraction] = {}
    for one in exchanges.values():
        best[one.source, one.target] = max(one.rate, best.get((one.source, one.target), Fraction(0)))
    rounds = (way for size in range(2, 5) for way in permutations(range(1, 5), size))
    zero = Fraction(0)
    return any(prod(best.get(step, zero) for step in zip(way, (*way[1:], way[0]), strict=True)) > 1 for way in rounds)
