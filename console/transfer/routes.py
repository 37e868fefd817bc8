"""Transferring points from one member to another, in a program of the merchant's own. A dry run comes first."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.by_hand import WAIT, initial_of, instruction_of, own_programs, program_options, said_of
from console.confirming import confirmed
from console.naming import member_address, reference_of
from console.visit import Visit, Visiting
from pages.formats import count
from pages.forms import Choice, Form, Points, Text
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import Movement, Program, Transfer

router = APIRouter()


class Gift(Form):
    """What goes from whom to whom, and why."""

    member = Text(lazy("From the member"), hint=lazy("Your own number of it, or its id"), longest=64, focus=True)
    recipient = Text(lazy("To the member"), hint=lazy("Your own number of it, or its id"), longest=64)
    program = Choice(lazy("Program"))
    points = Points(lazy("Points"))
    reference = Text(
        lazy("Reference"),
        hint=lazy("Your document number: a second transfer with it is refused"),
        longest=64,
        required=False,
    )
    reason = Text(lazy("Reason"), hint=lazy("For your own books; nobody else sees it"), longest=200)

    def check(self) -> None:
        """Nobody gives to themselves."""
        if self.values["member"] == self.values["recipient"]:
            self.refuse("recipient", _("This is the member that gives. Name another one."))


@router.get("")
async def ask(visit: Visiting) -> Response:
    """Asks what to transfer."""
    programs = await own_programs(visit)
    return _page(visit, Gift(initial_of(visit, programs), options=program_options(programs)), programs)


@router.post("")
async def transfer(visit: Visiting) -> Response:
    """Shows what would go, or transfers it."""
    programs = await own_programs(visit)
    form = await Gift.read(visit.request, options=program_options(programs))

    async def check(form: Gift) -> Movement:
        return (await visit.client.transfers.dry_run(Transfer(**_instruction(form)))).result

    async def act(form: Gift) -> Movement:
        made = await visit.client.transfers.create(**_instruction(form), idempotency_key=form.key, wait=WAIT)
        return made.raise_for_rejection()

    def tell(made: Movement) -> Response:
        message = _("%(points)s %(program)s points have gone to %(recipient)s.")
        values = {"points": count(made.points), "program": made.program, "recipient": form.values["recipient"]}
        return visit.redirect(member_address(made.member or form.values["member"]), said_of(made, message % values))

    answer = await confirmed(form, check, act, tell)
    return answer if isinstance(answer, Response) else _page(visit, form, programs, answer)


def _instruction(form: Form) -> dict[str, Any]:
    return {**instruction_of(form), "recipient": reference_of(form.values["recipient"])}


def _page(visit: Visit, form: Form, programs: list[Program], preview: Movement | None = None) -> Response:
    return visit.page("transfer/transfer.html", form=form, programs=programs, preview=preview, status=form.status)
