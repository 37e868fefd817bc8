"""Audits: asked for, watched, read. They run on the console's machine and ask a chain node, not the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from console.audit_jobs.files import PAGE, REPORT
from console.audit_jobs.runs import Busy, Run, Runs, id_of
from console.audits.forms import NewAudit
from console.audits.view import moment_of, node_options, nodes_of
from console.audits.words import STATES, TONES, Progress, duration, place_of
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.presentation import presentation
from pages.security import shut_in
from pages.translations import gettext as _

router = APIRouter()
P = ParamSpec("P")
T = TypeVar("T")
_CSV = "text/csv; charset=utf-8"


@router.get("")
async def audits(visit: Visiting) -> Response:
    """All audits that are kept, the newest first."""
    runs = _runs(visit)
    found = await _off_loop(runs.list) if runs is not None else []
    return visit.page(
        "audits/list.html",
        runs=found,
        is_set_up=runs is not None,
        kept=visit.parts.settings.audits_kept,
        **_words(),
    )


@router.get("/new")
async def ask(visit: Visiting) -> Response:
    """Asks what to audit."""
    if _runs(visit) is None:
        return visit.redirect("/audits")
    network = await visit.network()
    initial = {"nodes": ["0"], "contract": network.contract, "language": presentation().language}
    return _ask(visit, NewAudit(initial, options=_options(visit)))


@router.post("/new")
async def begin(visit: Visiting) -> Response:
    """Begins an audit. Sent twice, the form begins one."""
    runs = _runs(visit)
    if runs is None:
        return visit.redirect("/audits")
    form = await NewAudit.read(visit.request, options=_options(visit))
    if not form.is_valid:
        return _ask(visit, form)
    if await _off_loop(runs.get, id_of(form.key)) is not None:
        return visit.redirect(f"/audits/{id_of(form.key)}")
    network = await visit.network()
    if (running := await _off_loop(runs.running)) is not None and await _off_loop(runs.get, running) is not None:
        form.refuse(None, _("An audit is running already. Wait until it ends, or cancel it."))
        return _ask(visit, form)
    upload = form.values.get("bank")
    asked = {
        **form.asked(),
        "nodes": [visit.parts.settings.audit_addresses[int(place)] for place in form.values["nodes"]],
        "chain_id": network.chain_id,
        "by": visit.person.name,
    }
    id = await _off_loop(runs.create, form.key, asked, await upload.read() if upload is not None else None)  # noqa: A001
    return await _start(visit, id, _("The audit has begun."))


@router.get("/{audit}")
async def one(visit: Visiting, audit: str) -> Response:
    """How far an audit is, and what it has found."""
    run = await _run(visit, audit)
    summary = await _off_loop(lambda: run.summary)
    return visit.page(
        "audits/one.html",
        run=run,
        progress=Progress(run),
        summary=summary,
        plain=Form(),
        place_of=place_of,
        nodes=nodes_of(run),
        page_file=PAGE,
        report_file=REPORT,
        crumbs=[(moment_text(run), None)],
        **_words(),
    )


@router.post("/{audit}/cancel")
async def cancel(visit: Visiting, audit: str) -> Response:
    """Stops an audit that runs. What it has checked is kept."""
    run = await _run(visit, audit)
    if run.is_running:
        await _off_loop(_kept(visit).cancel, run)
    return visit.redirect(f"/audits/{audit}", _("The audit stops, and keeps what it has checked."))


@router.post("/{audit}/resume")
async def resume(visit: Visiting, audit: str) -> Response:
    """Lets an audit go on where it was."""
    run = await _run(visit, audit)
    if not run.may_go_on:
        return visit.redirect(f"/audits/{audit}")
    return await _start(visit, audit, _("The audit goes on where it was."))


@router.post("/{audit}/remove")
async def remove(visit: Visiting, audit: str) -> Response:
    """Forgets an audit that does not run."""
    run = await _run(visit, audit)
    if run.is_running:
        return visit.redirect(f"/audits/{audit}", _("The audit runs. Cancel it first."), tone="warn")
    await _off_loop(_kept(visit).remove, run)
    return visit.redirect("/audits", _("The audit is forgotten, with its report."))


@router.get("/{audit}/files/{name}")
async def file(visit: Visiting, audit: str, name: str) -> Response:
    """A file of the report. The page is shown, and can do nothing: no script, no form, no picture from elsewhere."""
    run = await _run(visit, audit)
    path = run.file(name)
    if path is None:
        raise HTTPException(404)
    if name == PAGE:
        shut_in(visit.request)
        return FileResponse(path, media_type="text/html; charset=utf-8")
    kind = "application/json" if name == REPORT else _CSV
    return FileResponse(path, media_type=kind, filename=f"audit-{audit[:8]}-{name}")


def moment_text(run: Run) -> str:
    """What an audit is called on its page: who began it."""
    return _("Audit by %(who)s") % {"who": run.asked["by"]}


# -------------------------------------------------------------------- what they share


def _runs(visit: Visit) -> Runs | None:
    """The audits; None where the console was not set up for them."""
    return visit.parts.audits.runs if visit.parts.settings.audit_addresses else None


def _kept(visit: Visit) -> Runs:
    runs = _runs(visit)
    if runs is None:
        raise HTTPException(404)
    return runs


async def _run(visit: Visit, audit: str) -> Run:
    run = await _off_loop(_kept(visit).get, audit)
    if run is None:
        raise HTTPException(404)
    return run


async def _start(visit: Visit, audit: str, message: str) -> Response:
    try:
        await _off_loop(visit.parts.audits.start, audit)
    except Busy:
        run = await _run(visit, audit)
        if run.is_running:  # by a form that was sent twice
            return visit.redirect(f"/audits/{audit}", message)
        sentence = _("An audit is running already. Wait until it ends, or cancel it.")
        return visit.redirect(f"/audits/{audit}", sentence, tone="warn")
    return visit.redirect(f"/audits/{audit}", message)


def _ask(visit: Visit, form: NewAudit) -> Response:
    return visit.page("audits/new.html", form=form, status=form.status, crumbs=[(_("New audit"), None)])


def _options(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    return {"nodes": node_options(visit.parts.settings.audit_addresses)}


def _words() -> dict[str, Any]:
    return {"states": STATES, "tones": TONES, "moment_of": moment_of, "duration": duration}


async def _off_loop(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Files are read in a thread: other pages must not wait for a disk."""
    return await asyncio.to_thread(work, *arguments, **named)
