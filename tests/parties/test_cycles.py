"""Cycles of exchanges, found by exact arithmetic and compared with trying them all."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

from hypothesis import assume, given
from hypothesis import strategies as st

from clearing.parties.agreements.cycles import Exchange, profitable_cycle

_PROGRAMS = range(1, 5)
_RATES = st.builds(Fraction, st.integers(1, 6), st.integers(1, 6))
_EXCHANGES = st.builds(Exchange, st.sampled_from(_PROGRAMS), st.sampled_from(_PROGRAMS), _RATES).filter(
    lambda exchange: exchange.source != exchange.target
)


def _best_gain(exchanges: list[Exchange]) -> Fraction:
    """The most that any cycle returns for one point: tries every order of every set of programs."""
    rates: dict[tuple[int, int], Fraction] = {}
    for e in exchanges:
        rates[e.source, e.target] = max(e.rate, rates.get((e.source, e.target), Fraction(0)))
    best = Fraction(0)
    for size in range(2, len(_PROGRAMS) + 1):
        for ring in permutations(_PROGRAMS, size):
            gain = Fraction(1)
            for step in zip(ring, (*ring[1:], ring[0]), strict=True):
                gain *= rates.get(step, Fraction(0))
            best = max(best, gain)
    return best


@given(st.lists(_EXCHANGES, max_size=8), _EXCHANGES)
def test_it_finds_what_trying_all_cycles_finds(existing: list[Exchange], new: Exchange) -> None:
    assume(_best_gain(existing) <= 1)
    found = profitable_cycle(existing, new)
    best = _best_gain([*existing, new])
    if best <= 1:
        assert found is None
    else:
        assert found is not None
        assert found.gain == best
        assert found.programs[0] == found.programs[-1] == new.source


@given(st.lists(_EXCHANGES, max_size=12))
def test_agreements_accepted_one_by_one_never_close_a_cycle(proposals: list[Exchange]) -> None:
    accepted: list[Exchange] = []
    for proposal in proposals:
        if profitable_cycle(accepted, proposal) is None:
            accepted.append(proposal)
    assert _best_gain(accepted) <= 1


def test_the_gain_may_be_as_thin_as_a_chain_allows() -> None:
    largest = 2**32 - 1
    there = Exchange(1, 2, Fraction(largest - 1, largest))
    exact = Exchange(2, 1, Fraction(largest, largest - 1))
    assert profitable_cycle([there], exact) is None
    found = profitable_cycle([Exchange(1, 2, Fraction(largest, largest - 1))], Exchange(2, 1, Fraction(1, 1)))
    assert found is not None
    assert found.gain == Fraction(largest, largest - 1)


def test_several_agreements_between_the_same_programs_count_each() -> None:
    existing = [Exchange(1, 2, Fraction(1, 2)), Exchange(1, 2, Fraction(1, 1))]
    assert profitable_cycle(existing, Exchange(2, 1, Fraction(3, 2))) is not None
    assert profitable_cycle(existing, Exchange(2, 1, Fraction(1, 1))) is None
