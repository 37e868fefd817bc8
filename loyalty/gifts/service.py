"""Gives gifts, each once. Whoever calls holds the customer. To look again is harmless, so it is done with every sale, too."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, timedelta
from functools import partial

from sqlalchemy.orm import Session

from loyalty.bonuses.models import Cause
from loyalty.bonuses.service import BonusGroup, BonusService, Grant
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.earning.reasons import Text
from loyalty.gifts.models import KeptGiftPlan
from loyalty.gifts.plans import GiftPlan, birthdays_on, read_gift_plan, write_gift_plan
from loyalty.kit.database import clock_of
from loyalty.network.issues import IssueGroup
from loyalty.plans.service import PlanService
from loyalty.sales.reading import SalesReader

_PIECE = 200
_CATCH_UP = timedelta(6)
"""A worker that stood still for so long has missed no birthday."""
_ONCE = "once"
_REASONS = {
    Cause.JOINING: Text("welcome to the programme", "欢迎加入"),
    Cause.PROFILE: Text("your profile is complete", "资料已完善"),
    Cause.BIRTHDAY: Text("happy birthday", "生日快乐"),
}


class GiftPlanService(PlanService[KeptGiftPlan, GiftPlan]):
    """Gift plans in one transaction."""

    ROW = KeptGiftPlan
    PREFIX = "gft"
    KIND = "gift_plan"
    FIELD = "/plan"
    read = staticmethod(read_gift_plan)
    write = staticmethod(write_gift_plan)


class GiftService:
    """Gifts in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plans = GiftPlanService(session)
        self._bonuses = BonusService(session)
        self._customers = CustomerService(session)
        self._sales = SalesReader(session)

    def review(self, customer: Customer) -> None:
        """Gives a customer what is due for joining and for the profile."""
        bonuses = BonusGroup(self._session, IssueGroup(self._session))
        GiftGroup(self._session, [customer], bonuses).review(
            customer, has_bought=partial(self._has_something, customer)
        )
        bonuses.write()

    def revoke(self, customer: Customer, *, because: str) -> None:
        """Takes the gift for the first sale back, if nothing that was bought is left."""
        for bonus in self._bonuses.given(customer.id, Cause.JOINING, _ONCE):
            assert bonus.plan is not None, "a gift has its plan"
            plan = plan_of(self._plans.get(bonus.plan))
            if plan.joining is not None and plan.joining.after == "first_sale" and not self._has_something(customer):
                self._bonuses.revoke(bonus, because=because)

    def birthdays_after(self, customer: str | None, limit: int = _PIECE) -> str | None:
        """Gives some customers their birthday's gift. Returns the last one's id, or None when all have had theirs."""
        now = clock_of(self._session).now()
        kept = self._plans.in_force_at(now)
        if kept is None or (gift := plan_of(kept).birthday) is None:
            return None
        today = now.astimezone(plan_of(kept).time_zone).date()
        days = {birthday: day for day in _days(today) for birthday in birthdays_on(day)}
        found = self._customers.with_birthdays([*days], customer, limit)
        for one in found:
            assert one.birth_month is not None, "they were found by it"
            assert one.birth_day is not None, "they were found by it"
            day = days[one.birth_month, one.birth_day]
            joined = one.created_at.astimezone(plan_of(kept).time_zone).date()
            if joined <= day and (gift.tiers is None or one.tier in gift.tiers):
                self._give(one, kept, Cause.BIRTHDAY, f"{day:%Y}", gift.points)
        return found[-1].id if found else None

    def _give(self, customer: Customer, kept: KeptGiftPlan, cause: Cause, key: str, points: int) -> None:
        if not self._bonuses.given(customer.id, cause, key):
            self._bonuses.grant(customer.id, _grant(kept, cause, key, points))

    def _has_something(self, customer: Customer) -> bool:
        """Whether something is left of what the customer has bought."""
        return bool(self._sales.left(customer.id, date.min, date.max))


class GiftGroup:
    """The gifts that the customers of a group may get, with what each is known by: read at once."""

    def __init__(self, session: Session, customers: Collection[Customer], bonuses: BonusGroup) -> None:
        self._bonuses = bonuses
        self._kept = GiftPlanService(session).in_force_at(clock_of(session).now())
        self._given: set[tuple[str, Cause]] = set()
        self._known: dict[str, set[str]] = {}
        self._consents: dict[str, set[str]] = {}
        if self._kept is None:
            return
        ids = {one.id for one in customers}
        causes = (Cause.JOINING, Cause.PROFILE)
        self._given = {(customer, cause) for customer, cause, _ in BonusService(session).keys(ids, causes, [_ONCE])}
        if plan_of(self._kept).profile is None:
            return
        without = {one for one in ids if (one, Cause.PROFILE) not in self._given}
        if without:
            everybody = CustomerService(session)
            for customer, kind in everybody.kinds_of(without):
                self._known.setdefault(customer, set()).add(kind.value)
            for customer, purpose in everybody.purposes_of(without):
                self._consents.setdefault(customer, set()).add(purpose)

    def review(self, customer: Customer, *, has_bought: Callable[[], bool]) -> None:
        """Gives a customer what is due for joining and for the profile. `has_bought` says whether something is left of what the
        customer bought."""
        if self._kept is None or customer.erased_at is not None:
            return
        joining, profile = plan_of(self._kept).joining, plan_of(self._kept).profile
        is_lacking = joining is not None and self._lacks(customer, Cause.JOINING)
        if joining is not None and is_lacking and (joining.after == "joining" or has_bought()):
            self._give(customer, Cause.JOINING, joining.points)
        if profile is not None and self._lacks(customer, Cause.PROFILE):
            known = self._known.get(customer.id, set()) | ({"birthday"} if customer.birth_month is not None else set())
            if profile.is_whole(known, self._consents.get(customer.id, set())):
                self._give(customer, Cause.PROFILE, profile.points)

    def _lacks(self, customer: Customer, cause: Cause) -> bool:
        return (customer.id, cause) not in self._given

    def _give(self, customer: Customer, cause: Cause, points: int) -> None:
        assert self._kept is not None, "a gift has its plan"
        self._given.add((customer.id, cause))
        self._bonuses.grant(customer.id, _grant(self._kept, cause, _ONCE, points))


def _grant(kept: KeptGiftPlan, cause: Cause, key: str, points: int) -> Grant:
    return Grant(
        cause=cause,
        key=key,
        program=kept.program,
        points=points,
        reason=_REASONS[cause],
        plan=kept.id,
        facts={"occasion": cause.value},
    )


def plan_of(kept: KeptGiftPlan) -> GiftPlan:
    """The plan, ready to be used."""
    return GiftPlanService.plan_of(kept)


def _days(today: date) -> list[date]:
    """Today and the days before that are caught up on."""
    return [today - timedelta(days) for days in range(_CATCH_UP.days, -1, -1)]
