"""Gift plans: what plans have, and what is given on which occasion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loyalty.gifts.models import KeptGiftPlan
from loyalty.gifts.plans import GiftPlan
from loyalty.gifts.service import GiftPlanService
from loyalty.pages.levels import level_names
from loyalty.pages.plans.forms import PlanForm
from loyalty.pages.plans.kind import PlanKind
from loyalty.pages.plans.routes import plan_router
from loyalty.pages.visit import Visit
from loyalty.plans.fields import LARGEST_POINTS
from pages.formats import listed
from pages.forms import Choice, Choices, Points, Text
from pages.translations import Text as Label
from pages.translations import gettext as _
from pages.translations import lazy

_AFTER: Final[Mapping[str, Label]] = {
    "joining": lazy("at once"),
    "first_sale": lazy("with the first sale of which something is left"),
}
_KNOWN: Final[Mapping[str, Label]] = {
    "card": lazy("Card"),
    "phone": lazy("Phone"),
    "plate": lazy("Plate"),
    "birthday": lazy("Birthday"),
}


class GiftForm(PlanForm):
    """A gift plan as fields."""

    joining_points = Points(lazy("For joining"), most=LARGEST_POINTS, required=False, pointer="/joining/points")
    joining_after = Choice(lazy("It is given"), options=_AFTER, radio=True, pointer="/joining/after")
    profile_points = Points(lazy("For a whole profile"), most=LARGEST_POINTS, required=False, pointer="/profile/points")
    profile_needs = Choices(lazy("Whole means known are"), options=_KNOWN, required=False, pointer="/profile/needs")
    profile_consents = Text(
        lazy("And the customer agrees to"),
        longest=400,
        required=False,
        hint=lazy("Purposes with spaces between them, such as marketing"),
        pointer="/profile/consents",
    )
    birthday_points = Points(lazy("On the birthday"), most=LARGEST_POINTS, required=False, pointer="/birthday/points")
    birthday_tiers = Choices(
        lazy("On the birthday, who gets it"),
        required=False,
        hint=lazy("Without a choice, everybody"),
        pointer="/birthday/tiers",
    )

    @classmethod
    def fits(cls, plan: Mapping[str, Any]) -> bool:
        """Whether its purposes can be told apart."""
        return not any(" " in purpose for purpose in (plan.get("profile") or {}).get("consents", ()))

    @staticmethod
    def filled(plan: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the fields for a plan."""
        joining, profile, birthday = (plan.get(name) or {} for name in ("joining", "profile", "birthday"))
        return {
            "joining_points": joining.get("points"),
            "joining_after": joining.get("after", "joining"),
            "profile_points": profile.get("points"),
            "profile_needs": profile.get("needs"),
            "profile_consents": " ".join(profile.get("consents", ())),
            "birthday_points": birthday.get("points"),
            "birthday_tiers": birthday.get("tiers"),
        }

    def own(self) -> dict[str, Any]:
        """What the fields say, as a plan has it."""
        values = self.values
        joining = {"points": values["joining_points"], "after": values["joining_after"]}
        profile = {
            "points": values["profile_points"],
            "needs": list(values["profile_needs"]),
            "consents": self._consents(),
        }
        birthday = {"points": values["birthday_points"]}
        if values["birthday_tiers"]:
            birthday["tiers"] = list(values["birthday_tiers"])
        found = {"joining": joining, "profile": profile, "birthday": birthday}
        return {name: gift for name, gift in found.items() if gift["points"]}

    def check(self) -> None:
        """Something is given, and what is said belongs to it."""
        super().check()
        values = self.values
        if not any(values[name] for name in ("joining_points", "profile_points", "birthday_points")):
            self.refuse("joining_points", _("Nothing is given. Fill in points for one occasion at least."))
        if bool(values["profile_points"]) != bool(values["profile_needs"] or self._consents()):
            self.refuse(
                "profile_points", _("Say what has to be known or agreed to, and how many points there are for it.")
            )
        if values["birthday_tiers"] and not values["birthday_points"]:
            self.refuse("birthday_points", _("Fill this in, too, or leave all of it out."))

    def _consents(self) -> list[str]:
        return (self.values["profile_consents"] or "").split()


def _says(visit: Visit, _kept: KeptGiftPlan, plan: GiftPlan) -> Mapping[str, Any]:
    """The gifts: the occasion, under what condition, how many points."""
    gifts: list[tuple[str, str, int]] = []
    if plan.joining is not None:
        gifts.append((_("For joining"), str(_AFTER[plan.joining.after]), plan.joining.points))
    if plan.profile is not None:
        needs = [str(_KNOWN[one]) for one in plan.profile.needs]
        needs += [_("agrees to %(purpose)s") % {"purpose": purpose} for purpose in plan.profile.consents]
        gifts.append((_("For a whole profile"), listed(needs), plan.profile.points))
    if plan.birthday is not None:
        levels = level_names(visit, plan.birthday.tiers)
        gifts.append(
            (_("On the birthday"), listed(levels, any_of=True) if levels else _("everybody"), plan.birthday.points)
        )
    return {"gifts": gifts}


KIND = PlanKind(
    service=GiftPlanService,
    below="/gifts",
    templates="gifts",
    title=lazy("Gifts"),
    about=lazy("Points for joining, for a whole profile and for birthdays. The plan that was published last counts."),
    draft=lazy("What is given on which occasion."),
    example={
        "id": "gifts",
        "name": {"en": "Gifts", "zh": "礼物"},
        "joining": {"points": 50, "after": "first_sale"},
        "profile": {"points": 30, "needs": ["phone", "birthday"], "consents": ["marketing"]},
        "birthday": {"points": 100},
    },
    context=_says,
    form=GiftForm,
)
router = plan_router(KIND)
