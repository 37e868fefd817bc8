"""A draft of a task as fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from loyalty.pages.goals import GOALS, MEASURES, ROUNDS
from loyalty.pages.plans.forms import PlanForm
from loyalty.plans.fields import LARGEST_POINTS
from pages.forms import Choice, Choices, LongText, Points, Text, Whole
from pages.translations import gettext as _
from pages.translations import lazy

_STAGES: Final = 4


class TaskForm(PlanForm):
    """A task with at most four stages."""

    description_zh = LongText(
        lazy("What customers read, in Chinese"), longest=500, required=False, pointer="/description/zh"
    )
    description_en = LongText(
        lazy("What customers read, in English"), longest=500, required=False, pointer="/description/en"
    )
    goal = Choice(lazy("What is counted"), options=GOALS)
    measure = Choice(
        lazy("In what"),
        options=MEASURES,
        required=False,
        hint=lazy("If an amount is counted, at once or in all"),
        pointer="/goal/measure",
    )
    amount = Whole(
        lazy("How much at once"),
        least=1,
        most=LARGEST_POINTS,
        required=False,
        hint=lazy("If it has to be bought at once"),
        pointer="/goal/amount",
    )
    condition = Text(
        lazy("Only if"),
        longest=2_000,
        required=False,
        hint=lazy("Such as line.category == 'fuel'. Without it, all counts."),
    )
    at_1 = Whole(lazy("First stage: at"), least=1, most=LARGEST_POINTS, pointer="/stages/0/at")
    points_1 = Points(lazy("First stage: gives"), most=LARGEST_POINTS, pointer="/stages/0/points")
    at_2 = Whole(lazy("Second stage: at"), least=1, most=LARGEST_POINTS, required=False, pointer="/stages/1/at")
    points_2 = Points(lazy("Second stage: gives"), most=LARGEST_POINTS, required=False, pointer="/stages/1/points")
    at_3 = Whole(lazy("Third stage: at"), least=1, most=LARGEST_POINTS, required=False, pointer="/stages/2/at")
    points_3 = Points(lazy("Third stage: gives"), most=LARGEST_POINTS, required=False, pointer="/stages/2/points")
    at_4 = Whole(lazy("Fourth stage: at"), least=1, most=LARGEST_POINTS, required=False, pointer="/stages/3/at")
    points_4 = Points(lazy("Fourth stage: gives"), most=LARGEST_POINTS, required=False, pointer="/stages/3/points")
    round = Choice(lazy("Begins anew"), options=ROUNDS)
    times = Whole(lazy("How often it can be done until it begins anew"), least=1, most=1_000)
    tiers = Choices(lazy("Who may take part"), required=False, hint=lazy("Without a choice, everybody"))
    per_month = Points(
        lazy("Gives at most a month"), most=LARGEST_POINTS, required=False, pointer="/budget/points_per_month"
    )
    in_all = Points(lazy("Gives at most in all"), most=LARGEST_POINTS, required=False, pointer="/budget/points_in_all")

    @classmethod
    def fits(cls, plan: Mapping[str, Any]) -> bool:
        """Whether the stages have fields."""
        return len(plan["stages"]) <= _STAGES

    @staticmethod
    def filled(plan: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the fields for a task."""
        goal, description, budget = plan["goal"], plan.get("description") or {}, plan.get("budget") or {}
        kind = goal["kind"]
        of = goal.get("of", "sales" if kind == "visits" else None)
        found = {
            "description_zh": description.get("zh"),
            "description_en": description.get("en"),
            "goal": f"{kind}:{of}" if of else kind,
            "measure": goal.get("measure"),
            "amount": goal.get("amount"),
            "condition": plan.get("condition"),
            "round": plan.get("round", "once"),
            "times": plan.get("times", 1),
            "tiers": plan.get("tiers"),
            "per_month": budget.get("points_per_month"),
            "in_all": budget.get("points_in_all"),
        }
        for number, stage in enumerate(plan["stages"], start=1):
            found |= {f"at_{number}": stage["at"], f"points_{number}": stage["points"]}
        return found

    def own(self) -> dict[str, Any]:
        """What the fields say, as a task has it."""
        values = self.values
        kind, _mark, of = values["goal"].partition(":")
        measures = {name: values[name] for name in ("measure", "amount") if values[name] is not None}
        limits = {"points_per_month": values["per_month"], "points_in_all": values["in_all"]}
        budget = {name: value for name, value in limits.items() if value is not None}
        return {
            "description": {"zh": values["description_zh"], "en": values["description_en"]}
            if values["description_zh"]
            else None,
            "goal": {"kind": kind, **measures, **({"of": of} if of else {})},
            "condition": values["condition"],
            "stages": [
                {"at": values[f"at_{number}"], "points": values[f"points_{number}"]}
                for number in range(1, _STAGES + 1)
                if values[f"at_{number}"] is not None
            ],
            "round": values["round"],
            "times": values["times"],
            "tiers": list(values["tiers"]) or None,
            "budget": budget or None,
        }

    def check(self) -> None:
        """Fields that belong together."""
        super().check()
        self.refuse_together("description_zh", "description_en")
        wanted = {"at_once": ("measure", "amount"), "in_sum": ("measure",)}.get(self.values["goal"], ())
        for name in ("measure", "amount"):
            if name in wanted and self.values[name] is None:
                self.refuse(name, _("What is counted needs this."))
            elif name not in wanted and self.values[name] is not None:
                self.refuse(name, _("What is counted does not have this. Leave it out."))
        last = self.values["at_1"]
        for number in range(2, _STAGES + 1):
            at = f"at_{number}"
            if not self.refuse_together(at, f"points_{number}"):
                last = None
            elif last is None:
                self.refuse(at, _("Fill in the stage before this one first."))
            elif self.values[at] <= last:
                self.refuse(at, _("A stage is at more than the one before."))
            else:
                last = self.values[at]
