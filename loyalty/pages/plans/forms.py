"""A draft, as text and as fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from loyalty.pages.levels import level_options
from loyalty.pages.visit import Visit
from pages.forms import Day, Form, Hidden, LongText, Options, Text
from pages.translations import gettext as _
from pages.translations import lazy

_TEXT = LongText(lazy("Text (JSON)"), longest=500_000, rows=24)


_PROGRAM = Text(lazy("Program"), longest=32, hint=lazy("Whose points customers get, such as FUEL"))
_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Draft(Form):
    """A version of a plan, as text."""

    def refuse_at(self, pointers: Iterable[str], sentence: str) -> None:  # noqa: ARG002 (all of it is the text)
        """Shows what is wrong with the plan beside its text."""
        self.refuse("text", sentence)


class DraftOfNone(Draft):
    """A version of a plan that is about no program."""

    text = _TEXT


class DraftOfProgram(Draft):
    """A version of a plan that is about the points of a program."""

    program = _PROGRAM
    text = _TEXT


class PlanForm(Form):
    """A version of a plan, as fields: what every kind has. Where the API points is where the plan has it."""

    time_zone = Hidden("")
    program = _PROGRAM
    id = Text(lazy("Short name"), longest=48, hint=lazy("Small letters, digits, - and _. Versions share it."))
    name_zh = Text(lazy("Name in Chinese"), longest=100, pointer="/name/zh")
    name_en = Text(lazy("Name in English"), longest=100, pointer="/name/en")
    start = Day(lazy("First day"), pointer="/effective/from")
    until = Day(lazy("Last day"), pointer="/effective/until", required=False)

    @classmethod
    def fits(cls, plan: Mapping[str, Any]) -> bool:  # noqa: ARG003 (a kind may look at it)
        """Whether the fields can say all that a plan says."""
        return True

    @staticmethod
    def filled(plan: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the fields of the kind for a plan."""
        raise NotImplementedError

    def own(self) -> dict[str, Any]:
        """What the fields of the kind say, as the plan has it. What is None is left out."""
        raise NotImplementedError

    @classmethod
    def options_for(cls, visit: Visit) -> dict[str, Options]:
        """The options that depend on what there is: all levels, wherever tiers can be chosen."""
        return {name: level_options(visit) for name in cls.fields if name.endswith("tiers")}

    @classmethod
    def beginning(cls, program: str | None, plan: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the fields for a plan."""
        effective = plan["effective"]
        return {
            "program": program,
            "id": plan["id"],
            "time_zone": plan["time_zone"],
            "name_zh": plan["name"]["zh"],
            "name_en": plan["name"]["en"],
            "start": effective["from"],
            "until": effective.get("until"),
            **cls.filled(plan),
        }

    def plan(self, version: int) -> dict[str, Any]:
        """The plan that the fields say."""
        values = self.values
        effective = {"from": values["start"].isoformat()}
        if values["until"] is not None:
            effective["until"] = values["until"].isoformat()
        said = {
            "id": values["id"],
            "version": version,
            "name": {"zh": values["name_zh"], "en": values["name_en"]},
            "time_zone": values["time_zone"],
            "effective": effective,
        }
        return said | {name: value for name, value in self.own().items() if value is not None}

    def check(self) -> None:
        """What every kind asks for."""
        if not _ID.fullmatch(self.values["id"]):
            self.refuse("id", _("Use small letters, digits, - and _ only, and begin with a letter or a digit."))
        if self.values["until"] is not None and self.values["until"] < self.values["start"]:
            self.refuse("until", _("The last day is before the first one."))

    def refuse_together(self, *names: str) -> bool:
        """Refuses fields of which only some are filled in. Whether all of them are."""
        empty = [name for name in names if self.values[name] in (None, ())]
        if empty and len(empty) < len(names):
            for name in empty:
                self.refuse(name, _("Fill this in, too, or leave all of it out."))
        return not empty
