"""What a process does that is measured: it evaluates or books a supermarket's sales, or gets a programme ready for them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import loyalty.models  # noqa: F401 (all tables)
from loyalty.customers.service import CustomerService
from loyalty.earning.evaluation import evaluate
from loyalty.earning.rule_sets import read_rule_set
from loyalty.gifts.service import GiftPlanService
from loyalty.intake.documents import SentSale
from loyalty.intake.service import IntakeService
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database, in_pieces
from loyalty.kit.errors import Refusal
from loyalty.kit.garbage import freeze_startup_objects
from loyalty.referrals.service import ReferralSchemeService
from loyalty.rule_sets.service import RuleSetService
from loyalty.stations.service import StationService
from loyalty.tasks.service import TaskPlanService
from loyalty.tiers.service import TierSchemeService
from scripts.bench import supermarket

GROUP = 200
"""Sales that are booked together."""
_ACTOR = "bench"


class _Meter:
    """Counts sales, and the time that is spent on them alone."""

    def __init__(self, expected: int) -> None:
        self._tenth = max(1, expected // 10)
        self.found: dict[str, float] = {"sales": 0, "lines": 0, "seconds": 0.0, "cpu": 0.0, "tenth_mib": 0}

    def began(self) -> tuple[float, float]:
        """The moment at which some sales begin."""
        return time.perf_counter(), time.process_time()

    def took(self, began: tuple[float, float], sales: int, lines: int) -> None:
        """Counts what was done since then."""
        self.found["seconds"] += time.perf_counter() - began[0]
        self.found["cpu"] += time.process_time() - began[1]
        self.found["sales"] += sales
        self.found["lines"] += lines
        if not self.found["tenth_mib"] and self.found["sales"] >= self._tenth:
            self.found["tenth_mib"] = _peak_mib()

    def result(self) -> dict[str, float]:
        """All of it."""
        return self.found | {"peak_mib": _peak_mib()}


def _peak_mib() -> int:
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return int(status["VmHWM"].split()[0]) // 1024


def evaluate_all(sales: int, part: int, parts: int) -> dict[str, float]:
    """Evaluates the twenty rules for every so manieth group of sales, and nothing else."""
    rules, meter = read_rule_set(json.dumps(supermarket.TWENTY)), _Meter(sales // parts)
    freeze_startup_objects()
    for some in islice(in_pieces(islice(supermarket.recorded_sales(), sales), GROUP), part, None, parts):
        began = meter.began()
        for sale, customer in some:
            evaluate(sale, customer, rules)
        meter.took(began, len(some), sum(len(sale.lines) for sale, _ in some))
    return meter.result()


def make_ready(url: str, sales: int) -> None:
    """Has an empty database know the plans, the stations and the customers. The clock shows the time of the first sale."""
    clock = ShiftedClock()
    database = Database(url, clock)
    database.migrate()
    publish(database)
    known: set[str] = set()
    for some in in_pieces(islice(supermarket.sent_sales(), sales), GROUP):
        if not known:
            _show(clock, some[0].time)
        prepare(database, some, known)
    database.close()


def book_all(url: str, sales: int, part: int, parts: int) -> dict[str, float]:
    """Books every so manieth group of sales, with rules, tiers, tasks, a referral scheme and gifts. The clock shows their time."""
    clock, meter = ShiftedClock(), _Meter(sales // parts)
    database = Database(url, clock)
    freeze_startup_objects()
    for some in islice(in_pieces(islice(supermarket.sent_sales(), sales), GROUP), part, None, parts):
        _show(clock, some[-1].time)
        began = meter.began()
        with database.session.begin() as session:
            taken = IntakeService(session).take_all(some)
        meter.took(began, len(some), sum(len(sale.lines) for sale in some))
        if refused := [one for one in taken if isinstance(one, Refusal)]:
            raise RuntimeError(f"{len(refused)} sales were refused: {refused[0].detail}")
    database.close()
    return meter.result()


def _show(clock: ShiftedClock, moment: datetime) -> None:
    clock.ahead = timedelta()
    clock.ahead = moment - clock.now()


def publish(database: Database) -> None:
    """Puts the supermarket's rules, tiers, tasks, referrals and gifts into force."""
    program = {"program": supermarket.PROGRAM}
    with database.session.begin() as session:
        plans: Sequence[tuple[Any, dict[str, Any], dict[str, str]]] = [
            (RuleSetService(session), supermarket.TWENTY, program),
            (TierSchemeService(session), supermarket.TIERS, {}),
            *((TaskPlanService(session), task, program) for task in supermarket.TASKS),
            (ReferralSchemeService(session), supermarket.REFERRALS, program),
            (GiftPlanService(session), supermarket.GIFTS, program),
        ]
        for service, plan, more in plans:
            kept = service.keep(json.dumps(plan), actor=_ACTOR, **more)
            service.publish(kept.id, actor=_ACTOR, reason=_ACTOR)


def prepare(database: Database, sales: Sequence[SentSale], known: set[str]) -> None:
    """Adds the stations and the customers of whom nobody has heard."""
    with database.session.begin() as session:
        for sale in sales:
            station, shown = sale.document.station, sale.shown
            if station not in known:
                region = supermarket.region_of(int(station))
                zone = str(supermarket.NEW_YORK)
                StationService(session).keep(station, name=station, region=region, time_zone=zone, actor=_ACTOR)
            if shown is not None and shown.value not in known:
                birthday = (int(shown.value[2:]) % 12 + 1, 1)
                CustomerService(session).add([replace(shown)], birthday, actor=_ACTOR)
                known.add(shown.value)
            known.add(station)


def _main(what: str, url: str, *numbers: str) -> None:
    sales, part, parts = map(int, numbers)
    print(json.dumps(evaluate_all(sales, part, parts) if what == "evaluate" else book_all(url, sales, part, parts)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
