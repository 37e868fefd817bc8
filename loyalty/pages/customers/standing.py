"""Where a customer stands: the tier with the way to the next, tasks that run, and whom the customer has brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.customers.models import Customer
from loyalty.pages.goals import goal_of
from loyalty.pages.measures import measures_of, needed
from loyalty.pages.visit import Visit
from loyalty.referrals.models import Referral
from loyalty.referrals.service import ReferralService
from loyalty.tasks.service import CustomersTask, TaskService
from loyalty.tiers.service import TierService, Way

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """A task that runs today, with its goal in words."""

    found: CustomersTask
    goal: str

    @property
    def points(self) -> int:
        """What the customer has had in this round."""
        return sum(bonus.points for bonus in self.found.bonuses)


@dataclass(frozen=True, slots=True)
class Standing:
    """What pages show of where a customer stands.

    Attributes:
        way: The tier, and the way to the next; None where no scheme is in force.
        counted: What counts, in words.
        missing: What is missing for the next level, in words.
        tasks: The tasks that run today.
        code: The code that the customer hands on, if they have one.
        referrer: The id of who brought the customer.
        brought: Whom the customer has brought, the newest first.
        has_more: Whether there are more of them.
    """

    way: Way | None
    counted: Sequence[str]
    missing: str
    tasks: Sequence[OnTheWay]
    code: str | None
    referrer: str | None
    brought: Sequence[Referral]
    has_more: bool


def standing_of(visit: Visit, customer: Customer) -> Standing:
    """Where a customer stands."""
    way = TierService(visit.session).way(customer)
    referrals = ReferralService(visit.session)
    referral = referrals.brought(customer)
    brought, more = referrals.page(customer.id, None, _SHOWN)
    return Standing(
        way=way,
        counted=measures_of(way.measures) if way else (),
        missing=needed(way.missing, way.scheme.reached_by) if way else "",
        tasks=[OnTheWay(one, goal_of(one.task.goal)) for one in TaskService(visit.session).of(customer)],
        code=referrals.code_if_any(customer),
        referrer=None if referral is None else referral.referrer_id,
        brought=brought,
        has_more=more is not None,
    )
