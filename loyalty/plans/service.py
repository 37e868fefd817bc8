"""Rules of plans: what cannot be meant is refused when it is written, and what is published never changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, FieldFault, Malformed, Unknown
from loyalty.kit.ids import new_id
from loyalty.plans.fields import Period
from loyalty.plans.models import KeptPlan
from loyalty.plans.reading import PlanError, Problem
from loyalty.plans.repository import PlanRepository

RowT = TypeVar("RowT", bound=KeptPlan)


class Plan(Protocol):
    """What every plan says of itself."""

    @property
    def id(self) -> str:
        """Its own id, which its versions share."""

    @property
    def version(self) -> int:
        """The number of the version."""

    @property
    def time_zone(self) -> ZoneInfo:
        """In which its days are told."""

    @property
    def effective(self) -> Period:
        """When it is in force."""


PlanT = TypeVar("PlanT", bound=Plan)


class PlanService(Generic[RowT, PlanT]):
    """Plans of one kind in one transaction. A kind says how it is read, and what is wrong with a plan that can be read."""

    ROW: ClassVar[type[Any]]
    PREFIX: ClassVar[str]
    """Of ids."""
    KIND: ClassVar[str]
    """What the plan is called in codes: `rule_set`."""
    FIELD: ClassVar[str]
    """The field of a request that has the plan: `/rules`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plans: PlanRepository[RowT] = PlanRepository(session, self.ROW)
        self._log = AuditLog(session)

    @staticmethod
    def read(content: str, /) -> PlanT:
        """The plan that is written so. Raises PlanError."""
        raise NotImplementedError

    @staticmethod
    def write(plan: PlanT, /) -> str:
        """The plan as JSON, which `read` reads."""
        raise NotImplementedError

    @classmethod
    def plan_of(cls, kept: RowT) -> PlanT:
        """The plan that is kept so, ready to be used. It is read once: what is kept never changes."""
        found: PlanT = _read(cls.read, kept.content)
        return found

    def faults(self, plan: PlanT) -> Sequence[Problem]:  # noqa: ARG002 (a kind may look at it)
        """What is wrong with a plan that can be read: it is not kept then."""
        return ()

    def faults_before_publishing(self, kept: RowT) -> Sequence[Problem]:  # noqa: ARG002 (a kind may look at it)
        """What keeps a draft from being published."""
        return ()

    def keep(self, content: str, *, actor: str, **more: Any) -> RowT:
        """Keeps a draft. Raises Malformed with each thing that is wrong, and Contradiction if there is this version already."""
        plan = self._checked(content)
        lock(self._session, f"{self.KIND}:{plan.id}")
        if self._plans.version(plan.id, plan.version) is not None:
            detail = f"there is a version {plan.version} of {plan.id} already: give it another number"
            raise Contradiction("version_taken", detail, pointer=f"{self.FIELD}/version")
        kept: RowT = self.ROW(
            id=new_id(self.PREFIX),
            name=plan.id,
            version=plan.version,
            content=self.write(plan),
            starts_on=plan.effective.start,
            ends_on=plan.effective.until,
            published_at=None,
            **more,
        )
        self._plans.add(kept)
        self._log.note(actor, f"{self.KIND}.added", kept.id, after=_named(kept, more))
        return kept

    def publish(self, plan: str, *, actor: str, reason: str) -> RowT:
        """Puts a draft into force from its first day on. Doing it again is harmless. Raises Malformed if it may not be."""
        kept = self.get(plan, for_update=True)
        if kept.published_at is None:
            if problems := self.faults_before_publishing(kept):
                raise self._malformed("example_failed", problems)
            kept.published_at = clock_of(self._session).now()
            self._log.note(actor, f"{self.KIND}.published", kept.id, reason=reason, after=_named(kept, {}))
        return kept

    def in_force(self, day: date) -> RowT | None:
        """The plan for a day: of all that are in force then, the one that was published last."""
        return next(iter(self._plans.published(day, day)), None)

    def in_force_on(self, days: Iterable[date]) -> dict[date, RowT | None]:
        """The plan for each of these days."""
        return {day: next(iter(plans), None) for day, plans in self.published_on(days).items()}

    def published_on(self, days: Iterable[date]) -> dict[date, Sequence[RowT]]:
        """All that are in force on each of these days, those that were published last first."""
        wanted = {*days}
        found = self._plans.published(min(wanted), max(wanted)) if wanted else ()
        return {day: [kept for kept in found if _is_on(kept, day)] for day in wanted}

    def in_force_at(self, moment: datetime) -> RowT | None:
        """The plan for a moment: of all that are in force then, each in its own time zone, the one that was published last."""
        return next(iter(self.all_in_force_at(moment)), None)

    def all_in_force_at(self, moment: datetime) -> Sequence[RowT]:
        """All that are in force at a moment, each in its own time zone, those that were published last first."""
        day = moment.astimezone(UTC).date()
        near = self._plans.published(day - timedelta(1), day + timedelta(1))
        return [kept for kept in near if self._has(self.plan_of(kept), moment)]

    @staticmethod
    def _has(plan: PlanT, moment: datetime) -> bool:
        return plan.effective.has(moment.astimezone(plan.time_zone).date())

    def current_at(self, moment: datetime) -> Sequence[RowT]:
        """What counts at a moment: of plans of most kinds, the one that was published last."""
        return self.all_in_force_at(moment)[:1]

    def next_version(self, name: str) -> int:
        """The number that a new version of a plan has."""
        return self._plans.newest_version(name) + 1

    def get(self, plan: str, *, for_update: bool = False) -> RowT:
        """The version with this id. Raises Unknown."""
        kept = self._plans.get(plan, for_update=for_update)
        if kept is None:
            raise Unknown(f"unknown_{self.KIND}", f"there is no {self.KIND.replace('_', ' ')} {plan}")
        return kept

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[RowT], str | None]:
        """Versions, newest first."""
        return self._plans.page(cursor, limit)

    def _checked(self, content: str) -> PlanT:
        try:
            plan = self.read(content)
        except PlanError as error:
            raise self._malformed(f"bad_{self.KIND}", error.problems) from None
        if problems := self.faults(plan):
            raise self._malformed(f"bad_{self.KIND}", problems)
        return plan

    def _malformed(self, code: str, problems: Sequence[Problem]) -> Malformed:
        faults = tuple(FieldFault(self.FIELD + _pointer(problem.place), str(problem)) for problem in problems)
        return Malformed(code, "; ".join(fault.detail for fault in faults), faults=faults)


@lru_cache(maxsize=512)
def _read(read: Callable[[str], Any], content: str) -> Any:
    return read(content)


def _is_on(kept: KeptPlan, day: date) -> bool:
    return kept.starts_on <= day and (kept.ends_on is None or kept.ends_on >= day)


def _pointer(place: str) -> str:
    """`rules[2].effect.points` as a JSON pointer."""
    return "".join(f"/{part}" for part in re.findall(r"[^.\[\]]+", place))


def _named(kept: KeptPlan, more: dict[str, Any]) -> dict[str, Any]:
    return {"name": kept.name, "version": kept.version, **more}
