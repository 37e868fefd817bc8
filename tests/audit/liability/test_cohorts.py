"""What is owed by month of issue, over a made-up year with reversals: against plain sums, and whatever dates are chosen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from fractions import Fraction

import pytest

from tests.audit.report.story import AGREEMENTS, FIRST_DAY, Story, year
from tongdui.audit.findings import CannotCheck
from tongdui.audit.liability.cohorts import Cohorts, ProgramLiability, month_of, month_text, terms_by_number
from tongdui.audit.liability.estimate import History, expected_redemptions
from tongdui.audit.liability.settings import ProgramTerms
from tongdui.audit.rules.lots import Lots
from tongdui.audit.tables import Tables
from tongdui.audit.watching import EntrySeen
from tongdui.orders import Kind

FUEL = ProgramTerms("FUEL", 10_000, 100_000, ((0, Fraction(97, 100)), (FIRST_DAY + 200, Fraction(99, 100))))
CINE = ProgramTerms("CINE", 9_000, None, ((0, None),))
TERMS = {1: FUEL, 2: CINE}
BEFORE, LAST = FIRST_DAY - 1, FIRST_DAY + 400


@pytest.fixture(scope="module")
def story() -> Story:
    return year()


@pytest.fixture(scope="module")
def cohorts(story: Story) -> Cohorts:
    tables = Tables()
    lots = Lots(tables)
    watcher = Cohorts(tables, lots)
    for seen in story.told:
        if isinstance(seen, EntrySeen):
            lots.on_entry(seen)
            watcher.on_entry(seen)
    return watcher


def of(
    cohorts: Cohorts, opening: int, closing: int, terms: Mapping[int, ProgramTerms] = TERMS
) -> dict[int, ProgramLiability]:
    return {one.program: one for one in cohorts.between(opening, closing, terms)}


def test_open_points_are_the_balances(story: Story, cohorts: Cohorts) -> None:
    balances: Counter[int] = Counter()
    for (_, program), points in story.balances.items():
        balances[program] += points
    found = of(cohorts, BEFORE, LAST)
    assert {program: one.closing_points for program, one in found.items()} == dict(balances)
    assert all(one.opening_points == 0 for one in found.values())


def test_cohorts_are_what_a_plain_sum_says(story: Story, cohorts: Cohorts) -> None:
    made: defaultdict[tuple[int, str], int] = defaultdict(int)
    month = {
        seen.entry.leaf(): month_text(month_of(seen.block.day)) for seen in story.told if isinstance(seen, EntrySeen)
    }
    for seen in story.told:
        if not isinstance(seen, EntrySeen):
            continue
        entry, of_what = seen.entry, seen.original or seen.entry
        sign, leaf = (-1 if entry.kind == Kind.REVERSE else 1), of_what.leaf()
        if of_what.kind == Kind.ISSUE:
            made[entry.program, month[leaf]] += sign * entry.points
        elif of_what.kind == Kind.EXCHANGE:
            made[AGREEMENTS[entry.agreement - 1].target_program, month[leaf]] += sign * entry.out
    found = {
        (program, month_text(cohort.month)): cohort.flow.issued + cohort.flow.exchanged_in
        for program, one in of(cohorts, BEFORE, LAST).items()
        for cohort in one.cohorts
    }
    assert found == dict(made)


@pytest.mark.parametrize("middle", [FIRST_DAY, FIRST_DAY + 37, FIRST_DAY + 200, FIRST_DAY + 359])
def test_it_closes_wherever_a_period_ends(cohorts: Cohorts, middle: int) -> None:
    early, late, whole = of(cohorts, BEFORE, middle), of(cohorts, middle, LAST), of(cohorts, BEFORE, LAST)
    for program in whole:
        one, two, both = (found[program].roll_forward if program in found else None for found in (early, late, whole))
        for roll in (one, two, both):
            assert roll is not None
            assert roll.opening + roll.additions - roll.recognised + roll.remeasurement == roll.closing
        assert one is not None
        assert two is not None
        assert both is not None
        assert one.closing == two.opening
        assert both.closing == two.closing >= 0
        assert one.revenue + two.revenue == both.revenue
        assert one.additions + two.additions == both.additions


def test_money_needs_terms_and_points_do_not(cohorts: Cohorts) -> None:
    valued, unvalued = of(cohorts, BEFORE, LAST), of(cohorts, BEFORE, LAST, {})
    assert [one.has_value for one in valued.values()] == [True, True, False]
    assert [one.closing_points for one in valued.values()] == [one.closing_points for one in unvalued.values()]
    assert all(one.roll_forward.closing == 0 for one in unvalued.values())


def test_with_little_history_all_open_points_are_expected(cohorts: Cohorts) -> None:
    cine = of(cohorts, BEFORE, FIRST_DAY + 100)[2]
    assert cine.expected_points == cine.closing_points


def test_history_says_how_many_points_stay_unused() -> None:
    # 100 points a month for 14 months: 30 redeemed at once, 20 in the month after, 10 in each of the third and fourth.
    history, start = History(), 12 * 2025
    for month in range(start, start + 14):
        history.made[month, month] = 100
        for age, points in enumerate((30, 20, 10, 10)):
            if month + age < start + 14:
                history.redeemed[month, month + age] = points
    end = start + 14
    expected = expected_redemptions(history, end, {start: 100, end - 2: 100, end - 1: 100, end: 50})
    assert expected == {start: 70, end - 2: 70, end - 1: 70, end: 35}
    assert expected_redemptions(history, start + 11, {start: 100}) == {start: 100}


def test_programs_are_found_by_their_code() -> None:
    assert terms_by_number({"CINE": CINE}, {1: "FUEL", 2: "CINE"}) == {2: CINE}
    with pytest.raises(CannotCheck, match="name the program 'FUELL', which is not on the chain; there are: CINE, FUEL"):
        terms_by_number({"FUELL": FUEL}, {1: "FUEL", 2: "CINE"})


def test_months_are_those_of_the_calendar() -> None:
    days = ("1970-01-01", "2025-12-31", "2026-01-01")
    numbers = [(date.fromisoformat(day) - date(1970, 1, 1)).days for day in days]
    assert [month_text(month_of(number)) for number in numbers] == ["1970-01", "2025-12", "2026-01"]
