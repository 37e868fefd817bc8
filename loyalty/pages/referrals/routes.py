"""Referral schemes: what plans have, and what bringing somebody is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loyalty.pages.plans.forms import PlanForm
from loyalty.pages.plans.kind import PlanKind
from loyalty.pages.plans.routes import plan_router
from loyalty.pages.visit import Visit
from loyalty.plans.fields import LARGEST_POINTS
from loyalty.referrals.models import KeptReferralScheme
from loyalty.referrals.schemes import ReferralScheme
from loyalty.referrals.service import ReferralSchemeService
from pages.forms import Points, Text, Whole
from pages.translations import lazy


class ReferralForm(PlanForm):
    """A referral scheme as fields."""

    newcomer_points = Points(lazy("The newcomer gets"), most=LARGEST_POINTS)
    referrer_points = Points(lazy("Who brought them gets"), most=LARGEST_POINTS)
    condition = Text(
        lazy("Only if"),
        longest=2_000,
        required=False,
        hint=lazy("Such as line.category == 'fuel'. Without it, all counts."),
    )
    again_points = Points(
        lazy("When the newcomer comes back, who brought them gets"),
        most=LARGEST_POINTS,
        required=False,
        pointer="/again/points",
    )
    again_visits = Whole(
        lazy("Back means so many visits"),
        least=2,
        most=100,
        required=False,
        hint=lazy("The first one included"),
        pointer="/again/visits",
    )
    again_months = Whole(lazy("In so many months"), least=1, most=24, required=False, pointer="/again/months")
    days_to_refer = Whole(lazy("For how many days after joining somebody can be named"), most=365)
    most_per_month = Whole(
        lazy("Rewarded newcomers a month, for each who brings them"), least=1, most=10_000, required=False
    )

    @staticmethod
    def filled(plan: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the fields for a scheme."""
        again = plan.get("again") or {}
        return {
            **{name: plan[name] for name in ("newcomer_points", "referrer_points")},
            **{f"again_{name}": again.get(name) for name in ("points", "visits", "months")},
            "condition": plan.get("condition"),
            "days_to_refer": plan.get("days_to_refer", 30),
            "most_per_month": plan.get("most_per_month"),
        }

    def own(self) -> dict[str, Any]:
        """What the fields say, as a scheme has it."""
        values = self.values
        names = ("newcomer_points", "referrer_points", "condition", "days_to_refer", "most_per_month")
        again = {name: values[f"again_{name}"] for name in ("points", "visits", "months")}
        return {name: values[name] for name in names} | {"again": again if again["points"] else None}

    def check(self) -> None:
        """Fields that belong together."""
        super().check()
        self.refuse_together("again_points", "again_visits", "again_months")


def _says(_visit: Visit, _kept: KeptReferralScheme, _scheme: ReferralScheme) -> Mapping[str, Any]:
    """All that it says stands in the scheme."""
    return {}


KIND = PlanKind(
    service=ReferralSchemeService,
    below="/referrals",
    templates="referrals",
    title=lazy("Referrals"),
    about=lazy("What customers get for bringing somebody. The scheme that was published last counts."),
    draft=lazy("What the newcomer gets, and who brought them."),
    example={
        "id": "bring-a-friend",
        "name": {"en": "Bring a friend", "zh": "带朋友"},
        "condition": "line.category == 'fuel'",
        "newcomer_points": 100,
        "referrer_points": 200,
        "again": {"points": 300, "visits": 2, "months": 3},
        "most_per_month": 20,
    },
    context=_says,
    form=ReferralForm,
)
router = plan_router(KIND)
