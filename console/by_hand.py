"""What pages have in common that move points of the merchant's own programs by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.merchants import programs_of
from console.naming import reference_of
from console.visit import Visit
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Movement, Program

WAIT = 5.0
"""Seconds for the chain, before the page says that the movement is on its way."""


async def own_programs(visit: Visit) -> list[Program]:
    """The active programs of the person's merchant."""
    return [program for program in await programs_of(visit, visit.merchant) if program.status == "active"]


def said_of(made: Movement, done: str) -> str:
    """What the page says of a movement that was made: that it is done, once it is."""
    return done if made.is_settled else _("It is on its way to the chain.")


def program_options(programs: Sequence[Program]) -> dict[str, dict[str, str]]:
    """What a form's field `program` offers."""
    return {"program": {one.code: f"{one.name} ({one.code})" for one in programs}}


def initial_of(visit: Visit, programs: Sequence[Program]) -> dict[str, str | None]:
    """What such a form begins with: the member of the address, and the first program."""
    return {
        "member": visit.request.query_params.get("member"),
        "program": programs[0].code if programs else None,
    }


def instruction_of(form: Form) -> dict[str, Any]:
    """Program, member, points, reference and reason of a form as an instruction has them."""
    values = form.values
    return {
        "program": values["program"],
        "member": reference_of(values["member"]),
        "points": values["points"],
        "reference": values["reference"],
        "metadata": {"reason": values["reason"]},
    }
