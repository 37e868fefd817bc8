"""Rule sets: versions, drafts as text with what is wrong at its place, examples, publishing, and simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from loyalty.earning.examples import check
from loyalty.kit.database import clock_of
from loyalty.kit.errors import FieldFault, Refusal
from loyalty.pages.reasons import Because
from loyalty.pages.rule_sets.simulation import simulation_of
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.rule_sets.service import RuleSetService, content_of
from pages.forms import Form, LongText, Text
from pages.paging import cursor_of, pager_of
from pages.presentation import presentation
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/rule-sets")
_ROWS = 50
_LONGEST = 500_000


class Draft(Form):
    """A version of a rule set, as text."""

    program = Text(lazy("Program"), longest=32, hint=lazy("Whose points it awards, such as FUEL"))
    rules = LongText(lazy("Rules (JSON)"), longest=_LONGEST, rows=24)


@router.get("")
def rule_sets(visit: Visiting) -> Response:
    """Versions, newest first."""
    service = RuleSetService(visit.session)
    rows, following = service.page(cursor=cursor_of(visit.request), limit=_ROWS)
    live = service.in_force(clock_of(visit.session).now().astimezone(visit.parts.zone).date())
    return visit.page(
        "rule_sets/list.html", rows=rows, in_force=live and live.id, pager=pager_of(visit.request, following)
    )


@router.get("/new")
def ask_draft(visit: Visiting) -> Response:
    """The text of a new draft; with `from` it begins as the next version of another."""
    like = visit.request.query_params.get("from")
    initial: dict[str, Any] = {}
    if like:
        kept = RuleSetService(visit.session).get(like)
        rules = json.loads(kept.content) | {"version": kept.version + 1}
        initial = {"program": kept.program, "rules": _as_text(rules)}
    return _draft_page(visit, Draft(initial), ())


@router.post("/new")
def keep_draft(visit: Visiting) -> Response:
    """Keeps a draft. What could not be evaluated is refused, with the place of each mistake."""
    form = Draft(sent=visit.sent)
    faults: tuple[FieldFault, ...] = ()
    if form.is_valid:
        try:
            with visit.session.begin_nested():
                kept = RuleSetService(visit.session).add(
                    form.values["rules"], form.values["program"], actor=visit.actor
                )
        except Refusal as error:
            faults = error.faults
            with visit.refusals(form):
                raise
        else:
            return visit.redirect(f"/rule-sets/{kept.id}", _("The draft is kept. Nothing earns by it yet."))
    return _draft_page(visit, form, faults)


@router.get("/{rule_set}")
def one(visit: Visiting, rule_set: str) -> Response:
    """One version with its rules and examples."""
    return _one_page(visit, rule_set, Because())


@router.post("/{rule_set}/publish")
def publish(visit: Visiting, rule_set: str) -> Response:
    """Puts a draft into force, from its first day on."""
    form = Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            RuleSetService(visit.session).publish(rule_set, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"/rule-sets/{rule_set}", _("The rules are published."))
    return _one_page(visit, rule_set, form)


@router.get("/{rule_set}/simulation")
def simulation(visit: Visiting, rule_set: str) -> Response:
    """What a version would have given for some days' sales, beside what is in force."""
    kept = RuleSetService(visit.session).get(rule_set)
    shown = simulation_of(visit, kept)
    return visit.page(
        "rule_sets/simulation.html",
        status=shown.status,
        kept=kept,
        shown=shown,
        crumbs=[(_title(kept), f"/staff/rule-sets/{kept.id}"), (_("Simulation"), None)],
    )


def _draft_page(visit: Visit, form: Form, faults: tuple[FieldFault, ...]) -> Response:
    return visit.page(
        "rule_sets/draft.html", form=form, faults=faults, status=form.status, crumbs=[(_("New draft"), None)]
    )


def _one_page(visit: Visit, rule_set: str, form: Form) -> Response:
    kept = RuleSetService(visit.session).get(rule_set)
    rules = content_of(kept)
    problems = check(rules)
    wrong = {problem.place for problem in problems}
    return visit.page(
        "rule_sets/one.html",
        kept=kept,
        rules=rules,
        name=getattr(rules.name, presentation().language),
        language=presentation().language,
        examples=[(example.name, f"examples[{at}]" not in wrong) for at, example in enumerate(rules.examples)],
        problems=problems,
        text=_as_text(json.loads(kept.content)),
        form=form,
        status=form.status,
        crumbs=[(_title(kept), None)],
    )


def _title(kept: Any) -> str:
    return f"{kept.name} {kept.version}"


def _as_text(rules: Mapping[str, Any]) -> str:
    return json.dumps(rules, ensure_ascii=False, indent=2)
