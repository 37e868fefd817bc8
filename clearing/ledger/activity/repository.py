"""SQL of daily totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select, text, tuple_
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.in_list import in_list
from clearing.kit.upsert import add_all
from clearing.ledger.activity.models import EVER, EVERYONE, PLACE, DailyTotal, Place
from clearing.ledger.activity.totals import Sums, TotalKey, Totals
from tongdui.orders import Kind

_KEY = [getattr(DailyTotal, name) for name in TotalKey._fields]
_SUMS = [DailyTotal.entries, DailyTotal.points, DailyTotal.micros, DailyTotal.fees]
_PLACE = [getattr(DailyTotal, name) for name in PLACE]
_KEYS_AT_ONCE = 200
_IS_EVER = text("daily_totals.day = 0")
"""Word for word the condition of the partial index: with a parameter, SQLite would not see that it applies."""


class ActivityRepository:
    """Daily totals in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, totals: Totals) -> None:
        """Adds to the stored totals."""
        rows = [key._asdict() | sums._asdict() for key, sums in sorted(totals.items())]
        add_all(self._session, DailyTotal, rows)

    def remove_empty(self, keys: Collection[TotalKey]) -> None:
        """Removes those of these totals that count no entry any more."""
        wanted = sorted(keys)
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            some = tuple_(*_KEY).in_(wanted[start : start + _KEYS_AT_ONCE])
            self._session.execute(delete(DailyTotal).where(some, DailyTotal.entries == 0))

    # ---------------------------------------------------------------- what the API shows

    def page(
        self,
        merchant: int,
        counterparty: int,
        *,
        first_day: int,
        last_day: int,
        program: int | None,
        after: Place | None,
        limit: int,
    ) -> Sequence[DailyTotal]:
        """A merchant's totals of these days, the last day first; `after` is the place of the last one seen."""
        query = select(DailyTotal).where(
            DailyTotal.merchant == merchant,
            DailyTotal.counterparty == counterparty,
            DailyTotal.day >= first_day,
            DailyTotal.day <= (last_day if after is None else min(last_day, after[0])),
        )
        if program is not None:
            query = query.where(DailyTotal.program == program)
        if after is not None:
            query = query.where(tuple_(*_PLACE) < tuple_(*after))
        return self._session.scalars(query.order_by(*(column.desc() for column in _PLACE)).limit(limit)).all()

    def ever(self, merchant: int, program: int) -> dict[TotalKey, Sums]:
        """All that a merchant's program has ever done."""
        query = select(*_KEY, *_SUMS).where(
            DailyTotal.merchant == merchant,
            DailyTotal.counterparty == EVERYONE,
            DailyTotal.day == EVER,
            DailyTotal.program == program,
        )
        return _read(self._session.execute(query))

    def issued_on(self, merchant: int, program: int, day: int) -> int:
        """The points that a merchant's program has issued on a network day."""
        query = select(func.coalesce(func.sum(DailyTotal.points), 0)).where(
            DailyTotal.merchant == merchant,
            DailyTotal.counterparty == EVERYONE,
            DailyTotal.day == day,
            DailyTotal.program == program,
            DailyTotal.kind == Kind.ISSUE,
        )
        return int(self._session.execute(query).scalar_one())

    def changes(self, merchant: int, first_day: int) -> dict[int, int]:
        """What each day from `first_day` on did to a merchant's position."""
        where = (
            DailyTotal.merchant == merchant,
            DailyTotal.counterparty == EVERYONE,
            DailyTotal.day >= first_day,
        )
        found: dict[int, int] = defaultdict(int)
        for (day, flow), sums in self._summed((DailyTotal.day, DailyTotal.flow), *where):
            found[day] += sums.net(flow)
        return found

    def net(self, merchants: Collection[int], first_day: int, last_day: int | None = None) -> dict[int, int]:
        """What the days from `first_day` on, up to `last_day` if it is given, did to the positions of these merchants."""
        where = [
            in_list(self._session, DailyTotal.merchant, merchants),
            DailyTotal.counterparty == EVERYONE,
            DailyTotal.day >= first_day,
        ]
        if last_day is not None:
            where.append(DailyTotal.day <= last_day)
        found: dict[int, int] = defaultdict(int)
        for (merchant, flow), sums in self._summed((DailyTotal.merchant, DailyTotal.flow), *where):
            found[merchant] += sums.net(flow)
        return found

    def of_partners(
        self, merchant: int, counterparties: Collection[int], first_day: int, last_day: int
    ) -> dict[tuple[int, int, bool], Sums]:
        """What a merchant did with these counterparties on these days, by (counterparty, flow, whether it was a reversal)."""
        where = (
            DailyTotal.merchant == merchant,
            in_list(self._session, DailyTotal.counterparty, counterparties),
            DailyTotal.day.between(first_day, last_day),
        )
        is_reversal = DailyTotal.reversed_kind > 0
        return {
            (counterparty, flow, bool(back)): sums
            for (counterparty, flow, back), sums in self._summed(
                (DailyTotal.counterparty, DailyTotal.flow, is_reversal), *where
            )
        }

    # ---------------------------------------------------------------- what a reconciliation compares

    def all_ever(self) -> dict[TotalKey, Sums]:
        """The totals of all days, of every merchant and program. What this costs grows with these, and not with the days."""
        return _read(self._session.execute(select(*_KEY, *_SUMS).where(_IS_EVER)))

    def added_up(self) -> dict[TotalKey, Sums]:
        """The same, added up from the days."""
        columns = (*_KEY[:2], *_KEY[3:])
        days = self._summed(columns, DailyTotal.counterparty == EVERYONE, DailyTotal.day > EVER)
        return {TotalKey(key[0], key[1], EVER, *key[2:]): sums for key, sums in days}

    def wrong_days(self) -> list[TotalKey]:
        """Daily totals of everyone together that are not the sum of their counterparties', where there are any."""
        columns = (DailyTotal.merchant, *_PLACE)
        together = dict(self._summed(columns, DailyTotal.counterparty == EVERYONE, DailyTotal.day > EVER))
        apart = dict(self._summed(columns, DailyTotal.counterparty != EVERYONE))
        wrong = [key for key, sums in apart.items() if together.get(key) != sums]
        return [TotalKey(key[0], EVERYONE, *key[1:]) for key in sorted(wrong)]

    def _summed(self, columns: Sequence[Any], *where: Any) -> list[tuple[Any, Sums]]:
        """The totals under some conditions, added up by these columns. SQLite keeps large numbers as text, so Python adds them."""
        if dialect_of(self._session) == "postgresql":
            sums = select(*columns, *(func.sum(column) for column in _SUMS)).where(*where).group_by(*columns)
            rows = map(tuple, self._session.execute(sums))
            return [(row[: len(columns)], Sums(*map(int, row[len(columns) :]))) for row in rows]
        found: dict[Any, Sums] = {}
        query: Select[*tuple[Any, ...]] = select(*columns, *_SUMS).where(*where)
        for row in map(tuple, self._session.execute(query.execution_options(yield_per=2_000))):
            key, some = row[: len(columns)], Sums(*row[len(columns) :])
            found[key] = found[key].plus(some) if key in found else some
        return list(found.items())


def _read(rows: Any) -> dict[TotalKey, Sums]:
    width = len(TotalKey._fields)
    return {TotalKey(*row[:width]): Sums(*row[width:]) for row in map(tuple, rows)}
