"""The routes that plans of every kind have: versions, drafts with what is wrong at its place, one version, publishing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from loyalty.kit.database import clock_of
from loyalty.kit.errors import FieldFault, Refusal
from loyalty.pages.plans.forms import Draft, DraftOfNone, DraftOfProgram, PlanForm
from loyalty.pages.plans.kind import PlanKind
from loyalty.pages.plans.states import STATES, PlanState, state_of
from loyalty.pages.reasons import Because
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.plans.models import KeptPlan
from pages.forms import Form
from pages.paging import address_with, cursor_of, pager_of
from pages.presentation import presentation
from pages.translations import gettext as _

_ROWS = 50


def plan_router(kind: PlanKind) -> APIRouter:
    """The routes of plans of a kind. What else the kind has is added to it."""
    router = page_router(kind.below)

    @router.get("")
    def versions(visit: Visiting) -> Response:
        """Versions, newest first."""
        return _list_page(visit, kind)

    @router.get("/new")
    def ask_draft(visit: Visiting) -> Response:
        """A new draft; with `from` it begins as the next version of another, with `as=text` as text."""
        return _draft_page(visit, kind, _begun(visit, kind), ())

    @router.post("/new")
    def keep_draft(visit: Visiting) -> Response:
        """Keeps a draft. What could not be meant is refused, with the place of each mistake."""
        return _keep(visit, kind)

    @router.get(f"/{{{kind.name}}}")
    def one(visit: Visiting) -> Response:
        """One version, with what it says."""
        return _one_page(visit, kind, Because())

    @router.post(f"/{{{kind.name}}}/publish")
    def publish(visit: Visiting) -> Response:
        """Puts a draft into force, from its first day on."""
        return _publish(visit, kind)

    return router


def kept_of(visit: Visit, kind: PlanKind) -> Any:
    """The version that the address names. Raises Unknown."""
    return kind.service(visit.session).get(visit.request.path_params[kind.name])


def title_of(kept: KeptPlan) -> str:
    """The name of a version in the reader's language, and its number."""
    return f"{json.loads(kept.content)['name'][presentation().language]} {kept.version}"


def _state_of(visit: Visit, kind: PlanKind, kept: Sequence[KeptPlan]) -> Mapping[str, PlanState]:
    now = clock_of(visit.session).now()
    in_force = {one.id for one in kind.service(visit.session).current_at(now)}
    today = now.astimezone(visit.parts.zone).date()
    return {one.id: state_of(one, in_force, today) for one in kept}


def _list_page(visit: Visit, kind: PlanKind) -> Response:
    rows, following = kind.service(visit.session).page(cursor=cursor_of(visit.request), limit=_ROWS)
    states = _state_of(visit, kind, rows)
    return visit.page(
        "plans/list.html",
        kind=kind,
        rows=[(row, title_of(row), STATES[states[row.id]]) for row in rows],
        pager=pager_of(visit.request, following),
    )


# ---------------------------------------------------------------- drafts


def _begun(visit: Visit, kind: PlanKind) -> Draft | PlanForm:
    """A draft as it begins: an example, or the next version of another one. As text if that is wanted, or fields cannot say it."""
    like = visit.request.query_params.get("from")
    service = kind.service(visit.session)
    if like:
        kept = service.get(like)
        program = getattr(kept, "program", None)
        plan = json.loads(kept.content) | {"version": service.next_version(kept.name)}
        if kind.begun is not None:
            plan = kind.begun(visit, plan)
    else:
        today = clock_of(visit.session).now().astimezone(visit.parts.zone).date()
        place = {"time_zone": visit.parts.zone.key, "effective": {"from": today.isoformat()}}
        program, plan = None, {"version": 1, **kind.example, **place}
    if kind.form is not None and visit.request.query_params.get("as") != "text" and kind.form.fits(plan):
        initial, options = kind.form.beginning(program, plan), kind.form.options_for(visit)
        if not like:
            initial |= dict.fromkeys(("id", "name_zh", "name_en"))
        if all(set(initial[name] or ()) <= {*dict(offered)} for name, offered in options.items()):
            return kind.form(initial, options=options)
    return _text_of(kind)({"program": program, "text": as_text(plan)})


def _text_of(kind: PlanKind) -> type[Draft]:
    return DraftOfProgram if kind.has_program else DraftOfNone


def _sent(visit: Visit, kind: PlanKind) -> Draft | PlanForm:
    """A draft as it was sent."""
    if kind.form is None or "text" in visit.sent:
        return _text_of(kind)(sent=visit.sent)
    return kind.form(sent=visit.sent, options=kind.form.options_for(visit))


def _keep(visit: Visit, kind: PlanKind) -> Response:
    form, service = _sent(visit, kind), kind.service(visit.session)
    refused: Sequence[Refusal] = ()
    if form.is_valid:
        values = form.values
        more = {"program": values["program"]} if kind.has_program else {}
        text = values["text"] if isinstance(form, Draft) else json.dumps(form.plan(service.next_version(values["id"])))
        with visit.refusals(form, service.FIELD) as refused:
            kept = service.keep(text, actor=visit.actor, **more)
        if form.is_valid:
            message = _("The draft is kept. It counts when a manager has published it.")
            return visit.redirect(f"{kind.below}/{kept.id}", message)
    return _draft_page(visit, kind, form, [fault for error in refused for fault in error.faults])


def _draft_page(visit: Visit, kind: PlanKind, form: Draft | PlanForm, faults: Sequence[FieldFault]) -> Response:
    is_text = not isinstance(form, PlanForm)
    return visit.page(
        "plans/draft.html",
        kind=kind,
        form=form,
        is_text=is_text,
        other_editor=kind.form and address_with(visit.request, {"as": None if is_text else "text"}),
        faults=faults,
        status=form.status,
        crumbs=[(_("New draft"), None)],
    )


# ---------------------------------------------------------------- one version


def _publish(visit: Visit, kind: PlanKind) -> Response:
    kept, form = kept_of(visit, kind), Because(sent=visit.sent)
    if form.is_valid:
        with visit.refusals(form):
            kind.service(visit.session).publish(kept.id, actor=visit.actor, reason=form.values["reason"])
        if form.is_valid:
            return visit.redirect(f"{kind.below}/{kept.id}", _("It is published."))
    return _one_page(visit, kind, form)


def _one_page(visit: Visit, kind: PlanKind, form: Form) -> Response:
    kept = kept_of(visit, kind)
    plan = kind.service.plan_of(kept)
    return visit.page(
        f"{kind.templates}/one.html",
        kind=kind,
        kept=kept,
        plan=plan,
        title=title_of(kept),
        state=STATES[_state_of(visit, kind, [kept])[kept.id]],
        text=as_text(json.loads(kept.content)),
        form=form,
        status=form.status,
        crumbs=[(title_of(kept), None)],
        **kind.context(visit, kept, plan),
    )


def as_text(plan: Mapping[str, Any]) -> str:
    """A plan as somebody can write on in it: what it is first, what it says afterwards."""
    first = ("id", "version", "name", "description", "time_zone", "effective")
    order = sorted(plan, key=lambda name: (first.index(name) if name in first else len(first), name))
    return json.dumps({name: plan[name] for name in order}, ensure_ascii=False, indent=2)
