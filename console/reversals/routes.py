"""Giving back. A dry run says what would return to whom, before anything does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from console.by_hand import WAIT
from console.confirming import confirmed
from console.problems import refusals
from console.reversals.view import Original, original
from console.visit import Visit, Visiting
from pages.formats import short
from pages.forms import Form, Hidden, Points, Text
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import DryRun, Movement, NotFoundError, Reverse

router = APIRouter()
_LIST = "/movements?kind=reverse"


class Find(Form):
    """The movement that is to be undone."""

    movement = Text(
        lazy("Which movement?"),
        hint=lazy("Its id, as it stands on the receipt, or your own document number"),
        longest=140,
        focus=True,
    )


class GiveBack(Form):
    """How much of it, and why."""

    movement = Hidden("")
    points = Points(lazy("Points"), pointer="/points", focus=True)
    reference = Text(
        lazy("Reference"),
        hint=lazy("Your document number: a second reversal with it is refused"),
        longest=140,
        required=False,
    )
    reason = Text(lazy("Reason"), hint=lazy("For your own books; nobody else sees it"), longest=200)


@router.get("")
async def find(visit: Visiting) -> Response:
    """Asks for the movement."""
    return _find(visit, Find())


@router.post("")
async def found(visit: Visiting) -> Response:
    """Leads to the movement's reversal."""
    form = await Find.read(visit.request)
    if form.is_valid:
        with refusals(form):
            matching = await _matching(visit, form.values["movement"])
        if form.is_valid:
            if len(matching) == 1:
                return RedirectResponse(f"/reversals/new?movement={matching[0].id}", 303)
            if matching:
                return visit.page("reversals/find.html", form=form, matching=matching, list=_LIST)
            form.refuse("movement", _("There is no such movement of yours."))
    return _find(visit, form)


@router.get("/new")
async def ask(visit: Visiting) -> Response:
    """Asks how much is given back."""
    movement = visit.request.query_params.get("movement") or ""
    if not movement:
        return RedirectResponse("/reversals", 303)
    found = await original(visit, movement)
    return _page(visit, found, GiveBack({"movement": found.movement.id, "points": found.left}))


@router.post("/new")
async def give_back(visit: Visiting) -> Response:
    """Shows what would return, or gives it back."""
    form = await GiveBack.read(visit.request)
    # From here on the address has no movement: the form has it.
    movement = str(form.sent.get("movement") or "") if form.sent else ""
    if not movement:
        return RedirectResponse("/reversals", 303)

    async def check(form: GiveBack) -> DryRun[Movement]:
        return await visit.client.reversals.dry_run(Reverse(**_instruction(form)))

    async def act(form: GiveBack) -> Movement:
        made = await visit.client.reversals.create(**_instruction(form), idempotency_key=form.key, wait=WAIT)
        return made.raise_for_rejection()

    def tell(made: Movement) -> Response:
        message = _("It is given back.") if made.is_settled else _("It is on its way back.")
        return visit.redirect(f"/movements/{made.id}", message)

    answer = await confirmed(form, check, act, tell)
    return answer if isinstance(answer, Response) else _page(visit, await original(visit, movement), form, answer)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would return: points to the member, others from it, and money between the merchants."""

    points: int
    program: str
    taken: int
    taken_program: str | None
    micros: int
    fee_micros: int
    """What the giver pays back of the original's fee."""


def _preview(original: Original, run: DryRun[Movement]) -> Preview:
    movement, outcome = original.movement, run.outcome
    is_issue = movement.object == "issuance"
    return Preview(
        points=0 if is_issue else outcome.points,
        program=movement.source_program or movement.program,
        taken=outcome.points if is_issue else outcome.out,
        taken_program=movement.program if is_issue else movement.target_program,
        micros=outcome.settled_micros,
        fee_micros=outcome.fee_micros,
    )


def _instruction(form: Form) -> dict[str, Any]:
    values = form.values
    return {
        "movement": values["movement"],
        "points": values["points"],
        "reference": values["reference"],
        "metadata": {"reason": values["reason"]},
    }


async def _matching(visit: Visit, text: str) -> list[Movement]:
    """The movement with this id, or those with this document number."""
    try:
        return [await visit.client.movements.get(text)]
    except NotFoundError:
        found = visit.client.movements.list(reference=text, page_size=200)
        return [one async for one in found if one.object != "reversal"]


def _find(visit: Visit, form: Form) -> Response:
    return visit.page("reversals/find.html", form=form, matching=(), list=_LIST, status=form.status)


def _page(visit: Visit, original: Original, form: Form, run: DryRun[Movement] | None = None) -> Response:
    return visit.page(
        "reversals/new.html",
        original=original,
        form=form,
        preview=_preview(original, run) if run is not None else None,
        status=form.status,
        crumbs=[(short(original.movement.id), None)],
    )
