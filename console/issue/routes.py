"""Issuing points by hand. A dry run comes first, so whoever does it sees how many, whose, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.by_hand import WAIT, initial_of, instruction_of, own_programs, program_options, said_of
from console.confirming import confirmed
from console.naming import member_address
from console.visit import Visit, Visiting
from pages.formats import count
from pages.forms import Choice, Day, Form, Points, Text
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import Issue, Movement, Program

router = APIRouter()


class ByHand(Form):
    """What is issued, to whom, and why."""

    member = Text(lazy("Member"), hint=lazy("Your own number of it, or its id"), longest=64, focus=True)
    program = Choice(lazy("Program"))
    points = Points(lazy("Points"))
    expires_on = Day(
        lazy("First day without them"), hint=lazy("Left empty, the program's own lifetime decides"), required=False
    )
    reference = Text(
        lazy("Reference"),
        hint=lazy("Your document number: a second issue with it is refused"),
        longest=64,
        required=False,
    )
    reason = Text(lazy("Reason"), hint=lazy("For your own books; nobody else sees it"), longest=200)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be issued."""

    movement: Movement
    program: Program


@router.get("")
async def ask(visit: Visiting) -> Response:
    """Asks what to issue."""
    programs = await own_programs(visit)
    return _page(visit, ByHand(initial_of(visit, programs), options=program_options(programs)), programs)


@router.post("")
async def issue(visit: Visiting) -> Response:
    """Shows what would be issued, or issues it."""
    programs = await own_programs(visit)
    form = await ByHand.read(visit.request, options=program_options(programs))

    async def check(form: ByHand) -> Preview:
        run = await visit.client.issuances.dry_run(Issue(**_instruction(form)))
        return Preview(run.result, next(one for one in programs if one.code == form.values["program"]))

    async def act(form: ByHand) -> Movement:
        made = await visit.client.issuances.create(**_instruction(form), idempotency_key=form.key, wait=WAIT)
        return made.raise_for_rejection()

    def tell(made: Movement) -> Response:
        message = _("%(points)s %(program)s points are issued.")
        values = {"points": count(made.points), "program": made.program}
        return visit.redirect(member_address(made.member or form.values["member"]), said_of(made, message % values))

    answer = await confirmed(form, check, act, tell)
    return answer if isinstance(answer, Response) else _page(visit, form, programs, answer)


def _instruction(form: Form) -> dict[str, Any]:
    return {**instruction_of(form), "expires_on": form.values["expires_on"]}


def _page(visit: Visit, form: Form, programs: list[Program], preview: Preview | None = None) -> Response:
    return visit.page("issue/issue.html", form=form, programs=programs, preview=preview, status=form.status)
