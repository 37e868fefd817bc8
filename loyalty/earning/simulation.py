"""Tries a rule set on recorded sales, beside the one that is live: points, cost, who gains and who loses. Nothing is awarded.

Sales stream through. What must be known of each customer is kept in a temporary database on disk, so memory stays the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from loyalty.earning.evaluation import awards_of
from loyalty.earning.rule_sets import RuleSet
from loyalty.earning.snapshot import Remainder, Snapshot, Spent
from loyalty.sales.types import Sale

LIVE, CANDIDATE = "live", "candidate"

_TABLES = """
CREATE TABLE gains (customer TEXT PRIMARY KEY, live INTEGER NOT NULL DEFAULT 0, candidate INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE days (day TEXT PRIMARY KEY, live INTEGER NOT NULL DEFAULT 0, candidate INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE remainders (side TEXT, customer TEXT, rule TEXT, value TEXT, PRIMARY KEY (side, customer, rule)) WITHOUT ROWID;
"""
_ADD = (
    "INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
    " SET live = live + excluded.live, candidate = candidate + excluded.candidate"
)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a rule set gives for all sales.

    Attributes:
        points: All points.
        cost_micros: What they cost the merchant.
        sales: How many sales earn points.
        by_rule: The points of each rule that gives some, in the order of the rules.
    """

    points: int
    cost_micros: int
    sales: int
    by_rule: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a customer earns under both rule sets."""

    customer: str
    live: int
    candidate: int


@dataclass(frozen=True, slots=True)
class Day:
    """What all customers earn on a business day under both rule sets."""

    day: date
    live: int
    candidate: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The live rule set and the candidate on the same sales.

    Attributes:
        sales: How many sales were tried.
        customers: How many customers they had.
        live: What the live rule set gives.
        candidate: What the candidate gives.
        gaining: How many customers earn more under the candidate.
        losing: How many earn less.
        gainers: Those who gain most, the first one the most.
        losers: Those who lose most, the first one the most.
        days: The points of each business day that has sales, in order.
    """

    sales: int
    customers: int
    live: Totals
    candidate: Totals
    gaining: int
    losing: int
    gainers: tuple[Change, ...]
    losers: tuple[Change, ...]
    days: tuple[Day, ...]


def simulate(
    recorded: Iterable[tuple[Sale, Snapshot]],
    live: RuleSet,
    candidate: RuleSet,
    *,
    micros_per_point: int,
    shown: int = 20,
    whenever: bool = False,
) -> Comparison:
    """Try two rule sets on recorded sales.

    Args:
        recorded: Sales with their customers, in the order in which they were. Remainders and budgets of the snapshots
            are left out of account: each rule set begins without any, and has its own.
        live: The rule set that is in force. Neither set's `effective` period matters.
        candidate: The rule set that may come after it.
        micros_per_point: What the merchant pays for a point.
        shown: How many gainers and losers are named.
        whenever: Leave out of account when rules are valid, to try next month's campaign on last month's sales.

    Returns:
        Both, compared.
    """
    with closing(sqlite3.connect("")) as database:  # a nameless database is a temporary file
        database.executescript(_TABLES)
        sides = (_Side(LIVE, live, database, whenever), _Side(CANDIDATE, candidate, database, whenever))
        sales = 0
        for sale, customer in recorded:
            sales += 1
            points = [side.award(sale, customer) for side in sides]
            database.execute(_ADD.format(table="gains"), (sale.customer, *points))
            database.execute(_ADD.format(table="days"), (sale.business_day.isoformat(), *points))
        return _comparison(database, sales, sides, micros_per_point, shown)


class _Side:
    """One of the two rule sets, with its own remainders and budgets."""

    def __init__(self, side: str, rule_set: RuleSet, database: sqlite3.Connection, whenever: bool) -> None:
        self.rule_set = rule_set
        self.by_rule: dict[str, int] = {rule.id: 0 for rule in rule_set.earning}
        self.sales = 0
        self._side = side
        self._whenever = whenever
        self._database = database
        self._carries = any(rule.carry for rule in rule_set.rules)
        self._spent: dict[tuple[str, str], Spent] = {}

    def award(self, sale: Sale, customer: Snapshot) -> int:
        """The points of a sale."""
        budgets = self._spent_on(sale)
        customer = replace(customer, remainders=self._remainders(sale.customer), spent=budgets)
        points = 0
        for award in awards_of(sale, customer, self.rule_set, whenever=self._whenever):
            points += award.points
            self.by_rule[award.rule] += award.points
            for taking in award.takings:
                key = (taking.rule, taking.period)
                before = self._spent.get(key, Spent(*key, 0))
                self._spent[key] = Spent(*key, before.points + taking.points, before.closed or taking.closes)
            if award.carried:
                self._database.execute(
                    "INSERT OR REPLACE INTO remainders VALUES (?, ?, ?, ?)",
                    (self._side, sale.customer, award.rule, str(award.remainder)),
                )
        self.sales += points > 0
        return points

    def totals(self, micros_per_point: int) -> Totals:
        """What the side has given."""
        points = sum(self.by_rule.values())
        by_rule = tuple((rule, given) for rule, given in self.by_rule.items() if given)
        return Totals(points, points * micros_per_point, self.sales, by_rule)

    def _spent_on(self, sale: Sale) -> tuple[Spent, ...]:
        """What the budgets of the sale's periods have paid."""
        if not self._spent:
            return ()
        keys = [
            (rule.id, period)
            for rule in self.rule_set.earning
            if rule.budget
            for period, _ in rule.budget.limits(sale.business_day)
        ]
        return tuple(self._spent[key] for key in keys if key in self._spent)

    def _remainders(self, customer: str) -> tuple[Remainder, ...]:
        if not self._carries:
            return ()
        rows = self._database.execute(
            "SELECT rule, value FROM remainders WHERE side = ? AND customer = ?", (self._side, customer)
        )
        return tuple(Remainder(rule, Fraction(value)) for rule, value in rows)


def _comparison(
    database: sqlite3.Connection, sales: int, sides: tuple[_Side, _Side], micros_per_point: int, shown: int
) -> Comparison:
    customers, gaining, losing = database.execute(
        "SELECT count(*), count(*) FILTER (WHERE candidate > live), count(*) FILTER (WHERE candidate < live) FROM gains"
    ).fetchone()
    gainers = database.execute(
        "SELECT customer, live, candidate FROM gains WHERE candidate > live ORDER BY live - candidate, customer LIMIT ?",
        (shown,),
    ).fetchall()
    losers = database.execute(
        "SELECT customer, live, candidate FROM gains WHERE candidate < live ORDER BY candidate - live, customer LIMIT ?",
        (shown,),
    ).fetchall()
    days = database.execute("SELECT day, live, candidate FROM days ORDER BY day").fetchall()
    live, candidate = (side.totals(micros_per_point) for side in sides)
    return Comparison(
        sales=sales,
        customers=customers,
        live=live,
        candidate=candidate,
        gaining=gaining,
        losing=losing,
        gainers=tuple(Change(*row) for row in gainers),
        losers=tuple(Change(*row) for row in losers),
        days=tuple(Day(date.fromisoformat(day), *points) for day, *points in days),
    )
