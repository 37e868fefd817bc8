"""Ways on which points renew their expiry, compared with letting points go every way on every day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clearing.parties.agreements.cycles import Exchange
from clearing.parties.agreements.renewal import by_source, renewing_cycle
from tests.support.harness import TERMS
from tongdui.orders import AgreementTerms

_DAYS = 6
_FIRST_EXPIRY = 1
"""The expiry day of points that are alive on day 0 for the last time: whatever comes back later has been renewed."""
_NEVER = 1_000

_PROGRAMS = st.integers(1, 4)


def _terms(source: int, target: int, lifetime_days: int, *, keep_expiry: bool) -> AgreementTerms:
    return replace(
        TERMS,
        source_program=source,
        target_program=target,
        lifetime_days=lifetime_days,
        keep_expiry=keep_expiry,
    )


_TERMS = st.builds(
    lambda source, target, lifetime, keep: _terms(source, target, lifetime, keep_expiry=keep),
    _PROGRAMS,
    _PROGRAMS,
    st.sampled_from([0, 1, 2, 365]),
    st.booleans(),
).filter(lambda terms: terms.source_program != terms.target_program)


def _exchanged(expiry: int, terms: AgreementTerms, day: int) -> int:
    """The expiry day of points that an exchange mints on a day from points of this expiry day."""
    minted = day + terms.lifetime_days if terms.lifetime_days else _NEVER
    return min(expiry, minted) if terms.keep_expiry else minted


def _comes_back_renewed(existing: Iterable[AgreementTerms], new: AgreementTerms) -> bool:
    """Lets points of the source program go through `new` and then on any way, with any waits."""
    every = [*existing, new]
    reached = {(new.target_program, _exchanged(_FIRST_EXPIRY, new, 0))}
    for day in range(_DAYS):
        reached = {(program, expiry) for program, expiry in reached if expiry > day}
        for _ in range(2 * len(every)):
            reached |= {
                (terms.target_program, _exchanged(expiry, terms, day))
                for program, expiry in reached
                for terms in every
                if terms.source_program == program
            }
        if any(program == new.source_program and expiry > _FIRST_EXPIRY for program, expiry in reached):
            return True
    return False


@given(st.lists(_TERMS, max_size=6), _TERMS)
def test_it_finds_what_points_can_do(existing: list[AgreementTerms], new: AgreementTerms) -> None:
    found = renewing_cycle(by_source(Exchange.under(terms) for terms in existing), Exchange.under(new))
    assert (found is not None) == _comes_back_renewed(existing, new)
    if found is not None:
        steps = {(terms.source_program, terms.target_program) for terms in [*existing, new]}
        assert set(pairwise(found)) <= steps
        assert found[:2] == (new.source_program, new.target_program)
        assert found[-1] == new.source_program


def test_one_exchange_on_the_way_that_renews_is_enough() -> None:
    kept, renewed = (Exchange.under(_terms(1, 2, 365, keep_expiry=keep)) for keep in (True, False))
    back_kept, back_renewed = (Exchange.under(_terms(2, 1, 365, keep_expiry=keep)) for keep in (True, False))
    assert renewing_cycle(by_source([kept]), back_kept) is None
    assert renewing_cycle(by_source([kept]), back_renewed) == (2, 1, 2)
    assert renewing_cycle(by_source([renewed]), back_kept) == (2, 1, 2)


def test_the_shortest_way_is_shown() -> None:
    ring = [Exchange.under(_terms(a, b, 0, keep_expiry=False)) for a, b in ((2, 3), (3, 4), (4, 1), (3, 1))]
    assert renewing_cycle(by_source(ring), Exchange.under(_terms(1, 2, 0, keep_expiry=True))) == (1, 2, 3, 1)
