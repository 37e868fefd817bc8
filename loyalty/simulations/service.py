"""Rules of simulations: some days' sales, not too many, against what is in force on the last of them. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from loyalty.earning.simulation import Comparison, simulate
from loyalty.earning.snapshot import Snapshot
from loyalty.kit.errors import Contradiction, Malformed
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.service import RuleSetService, content_of
from loyalty.sales.kept import sale_of
from loyalty.sales.types import Sale
from loyalty.simulations.repository import Recorded, RecordedSaleRepository

LONGEST_DAYS: Final = 92
MOST_SALES: Final = 200_000
"""So many are tried in some minutes."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation has found, and with what it has compared."""

    live: KeptRuleSet
    comparison: Comparison


class SimulationService:
    """Simulations in one transaction that only reads."""

    def __init__(self, session: Session) -> None:
        self._rule_sets = RuleSetService(session)
        self._sales = RecordedSaleRepository(session)

    def run(self, rule_set: str, first: date, last: date, *, micros_per_point: int) -> Simulation:
        """Tries a rule set on the sales of these business days, whenever its rules are valid.

        Raises:
            Unknown: There is no such rule set.
            Malformed: There are no such days, or too many of them or of their sales.
            Contradiction: No rule set is in force on the last day.
        """
        candidate = self._rule_sets.get(rule_set)
        if last < first:
            raise Malformed("bad_period", "the last day is before the first one", pointer="/last_day")
        if (last - first).days >= LONGEST_DAYS:
            detail = f"choose a period of at most {LONGEST_DAYS} days"
            raise Malformed("period_too_long", detail, pointer="/last_day")
        live = self._rule_sets.in_force(last)
        if live is None:
            detail = f"no rule set is in force on {last}: there is nothing to compare with"
            raise Contradiction("no_live_rule_set", detail, pointer="/last_day")
        if (count := self._sales.count(first, last)) > MOST_SALES:
            detail = f"these days have {count} sales: choose fewer days, with at most {MOST_SALES}"
            raise Malformed("too_many_sales", detail, pointer="/first_day")
        comparison = simulate(
            _with_snapshots(self._sales.stream(first, last)),
            content_of(live),
            content_of(candidate),
            micros_per_point=micros_per_point,
            whenever=True,
        )
        return Simulation(live, comparison)


def _with_snapshots(recorded: Iterable[Recorded]) -> Iterator[tuple[Sale, Snapshot]]:
    for one in recorded:
        yield (
            sale_of(one.content),
            Snapshot(
                customer=one.customer,
                tier=one.tier,
                tier_coefficient=one.tier_coefficient,
                birthday_month=one.birth_month or 0,
                first_purchase=one.is_first,
                sales_this_month=one.this_month,
            ),
        )
