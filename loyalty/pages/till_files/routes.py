"""Till files: by station, handed in, one with what was not booked and why, and taken in again."""

from __future__ import annotations

from typing import ClassVar

from fastapi.responses import Response
from starlette.datastructures import UploadFile

from loyalty.http.rules import LARGEST_TILL_FILE
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.people.actors import actor_names
from loyalty.till_files.mappings import mapping_named, mapping_names
from loyalty.till_files.service import TillFileService, fingerprint_of
from pages.filters import read_filters
from pages.forms import Choice, File, Form, Text
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _
from pages.translations import lazy

router = page_router("/till-files")
_ROWS = 50
_USUAL = "station"


class Handed(Form):
    """A till's file, whose it is and how it is read."""

    station = Text(lazy("Station"), longest=20, hint=lazy("Its code, such as S17"), focus=True)
    file = File(
        lazy("File of the till"),
        accept=".csv,.txt,.xlsx",
        largest=LARGEST_TILL_FILE,
        hint=lazy("CSV, text or .xlsx, as the till wrote it. The same file again is harmless."),
    )
    mapping = Choice(lazy("Mapping"), hint=lazy("It says which column means what."))


class Again(Form):
    """A file that is taken in again: nothing is typed."""

    ids: ClassVar[str] = "a-"


@router.get("")
def till_files(visit: Visiting) -> Response:
    """Till files, newest first."""
    filters = read_filters(visit.request.query_params, texts={"station": 20})
    rows, following = TillFileService(visit.session).page(
        station=filters.asked.get("station"), cursor=cursor_of(visit.request), limit=_ROWS
    )
    return visit.page(
        "till_files/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        names=actor_names(visit.session, [row.sent_by for row in rows]),
        filters=filters,
        pager=pager_of(visit.request, following),
    )


@router.get("/new")
def ask_file(visit: Visiting) -> Response:
    """Which file is to be taken in."""
    initial = {"station": visit.request.query_params.get("station"), "mapping": _USUAL}
    return _new_page(visit, Handed(initial, options=_options(visit)))


@router.post("/new")
def hand_in(visit: Visiting) -> Response:
    """Keeps a file for the worker."""
    form = Handed(sent=visit.sent, options=_options(visit))
    if form.is_valid:
        upload: UploadFile = form.values["file"]
        content = upload.file.read()
        with visit.refusals(form):
            mapping = mapping_named(form.values["mapping"], visit.parts.settings.till_mappings)
            file = TillFileService(visit.session).send(
                form.values["station"],
                upload.filename or "",
                fingerprint_of(content),
                mapping,
                actor=visit.actor,
                content=content,
            )
        if form.is_valid:
            return visit.redirect(f"/till-files/{file.id}", _("The file is kept. It is taken in within minutes."))
    return _new_page(visit, form)


@router.get("/{file}")
def one(visit: Visiting, file: str) -> Response:
    """One file: what became of its documents, and why some were not booked."""
    return _one_page(visit, file, Again())


@router.post("/{file}/take-again")
def take_again(visit: Visiting, file: str) -> Response:
    """Has what was not booked be taken in again."""
    form, files = Again(sent=visit.sent), TillFileService(visit.session)
    with visit.refusals(form):
        mapping = mapping_named(files.get(file).mapping, visit.parts.settings.till_mappings)
        files.take_again(file, mapping, actor=visit.actor)
    if form.is_valid:
        return visit.redirect(f"/till-files/{file}", _("The file is taken in again within minutes."))
    return _one_page(visit, file, form)


def _options(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    return {"mapping": [(name, name) for name in mapping_names(visit.parts.settings.till_mappings)]}


def _new_page(visit: Visit, form: Form) -> Response:
    return visit.page("till_files/new.html", form=form, status=form.status, crumbs=[(_("Hand in a file"), None)])


def _one_page(visit: Visit, file_id: str, form: Form) -> Response:
    files = TillFileService(visit.session)
    file = files.get(file_id)
    refusals, following = files.refusals_after(file_id, cursor_of(visit.request) or "", _ROWS)
    return visit.page(
        "till_files/one.html",
        file=file,
        refusals=refusals,
        names=actor_names(visit.session, [file.sent_by]),
        form=form,
        may_take=file.is_kept and visit.may("POST", "/till-files/{file}/take-again"),
        pager=pager_of(visit.request, following),
        status=form.status,
        crumbs=[(file.name, None)],
    )
