"""What budgets have paid this month and in all, against their limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from fastapi.responses import Response

from loyalty.budgets.service import BudgetService
from loyalty.kit.database import clock_of
from loyalty.kit.paging import LARGEST_PAGE
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import RuleSetService, content_of
from pages.presentation import presentation

router = page_router("/budgets")
_ALL = "all"
_ALMOST = 9
"""Tenths of a limit from which on it is almost reached."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What a rule's budget has paid in one of its periods."""

    rule_set: KeptRuleSet
    rule: str
    name: str
    in_all: bool
    paid: int
    limit: int
    is_closed: bool

    @property
    def tone(self) -> str:
        """How urgent it looks."""
        if self.is_closed or self.paid >= self.limit:
            return "bad"
        return "warn" if self.paid * 10 >= self.limit * _ALMOST else "good"


@router.get("")
def budgets(visit: Visiting) -> Response:
    """Every budget of the rules that are published and not over."""
    rows = [*_spendings(visit)]
    return visit.page("budgets/budgets.html", rows=rows, month=f"{_today(visit):%Y-%m}")


def _spendings(visit: Visit) -> Iterator[Spending]:
    uses_of, today = BudgetService(visit.session).uses, _today(visit)
    seen: set[str] = set()
    kept, _more = RuleSetService(visit.session).page(cursor=None, limit=LARGEST_PAGE)
    for one in sorted(kept, key=lambda each: each.published_at.isoformat() if each.published_at else "", reverse=True):
        is_over = one.ends_on is not None and one.ends_on < today
        if one.published_at is None or is_over or one.name in seen:
            continue  # versions share their budgets: the newest has the limits
        seen.add(one.name)
        rules = [rule for rule in content_of(one).earning if rule.budget is not None]
        uses = {
            (use.rule, use.period): use
            for use in uses_of(one.name, [rule.id for rule in rules], [f"{today:%Y-%m}", _ALL])
        }
        for rule in rules:
            assert rule.budget is not None
            for period, limit in rule.budget.limits(today):
                use = uses.get((rule.id, period))
                yield Spending(
                    one,
                    rule.id,
                    getattr(rule.name, presentation().language),
                    period == _ALL,
                    use.points if use else 0,
                    limit,
                    bool(use and use.is_closed),
                )


def _today(visit: Visit) -> date:
    return clock_of(visit.session).now().astimezone(visit.parts.zone).date()
