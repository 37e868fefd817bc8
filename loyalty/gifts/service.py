"""Gives gifts, each once. Whoever calls holds the customer. To look again is harmless, so it is done with every sale, too."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.orm import Session

from loyalty.bonuses.models import Cause
from loyalty.bonuses.service import BonusService, Grant
from loyalty.customers.models import Customer
from loyalty.customers.service import CustomerService
from loyalty.earning.reasons import Text
from loyalty.gifts.models import KeptGiftPlan
from loyalty.gifts.plans import GiftPlan, birthdays_on, read_gift_plan, write_gift_plan
from loyalty.kit.database import clock_of
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
        kept = self._plans.in_force_at(clock_of(self._session).now())
        if kept is None or customer.erased_at is not None:
            return
        plan = plan_of(kept)
        if plan.joining is not None and (plan.joining.after == "joining" or self._has_something(customer)):
            self._give(customer, kept, Cause.JOINING, _ONCE, plan.joining.points)
        if plan.profile is not None and not self._bonuses.given(customer.id, Cause.PROFILE, _ONCE):
            known = {one.kind.value for one in self._customers.identifiers_of(customer)}
            known |= {"birthday"} if customer.birth_month is not None else set()
            consents = {one.purpose for one in self._customers.consents_of(customer) if one.is_given}
            if plan.profile.is_whole(known, consents):
                self._give(customer, kept, Cause.PROFILE, _ONCE, plan.profile.points)

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
            self._bonuses.grant(
                customer.id,
                Grant(
                    cause=cause,
                    key=key,
                    program=kept.program,
                    points=points,
                    reason=_REASONS[cause],
                    plan=kept.id,
                    facts={"occasion": cause.value},
                ),
            )

    def _has_something(self, customer: Customer) -> bool:
        """Whether something is left of what the customer has bought."""
        return bool(self._sales.left(customer.id, date.min, date.max))


def plan_of(kept: KeptGiftPlan) -> GiftPlan:
    """The plan, ready to be used."""
    return GiftPlanService.plan_of(kept)


def _days(today: date) -> list[date]:
    """Today and the days before that are caught up on."""
    return [today - timedelta(days) for days in range(_CATCH_UP.days, -1, -1)]
