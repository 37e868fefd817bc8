"""Till files: somebody sends one, the worker takes it in, and the staff sees what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Query, Request

from loyalty.api.fields import StationCode
from loyalty.api.till_files.schemas import TillFileRefusalView, TillFileView
from loyalty.devices.service import DeviceService
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.errors import Malformed
from loyalty.kit.paging import Page, shown
from loyalty.till_files.mappings import mapping_named
from loyalty.till_files.service import TillFileService, fingerprint_of

router = api("till files")


@router.get("/v1/till-files")
def list_till_files(
    call: Calling, station: str | None = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[TillFileView]:
    """Till files, newest first: who sent them when, and what became of them."""
    return shown(TillFileService(call.session).page(station=station, cursor=cursor, limit=limit), TillFileView.seen)


@router.post("/v1/till-files", status_code=202)
def send_till_file(
    call: Calling,
    request: Request,
    station: Annotated[StationCode, Query(description="the station whose till it is")],
    content: Annotated[bytes, Body(media_type="application/octet-stream", description="CSV, text or .xlsx, as it is")],
    name: Annotated[str, Query(min_length=1, max_length=200, description="the file's name")] = "till file",
    mapping: Annotated[str, Query(description="the name of a mapping")] = "station",
) -> TillFileView:
    """Send a till's export. `loyalty worker` books its sales and returns within minutes. The same file again is harmless."""
    if not content:
        raise Malformed("empty_file", "the body is empty: send the file as it is")
    DeviceService(call.session).check_sender(call.actor, station)
    known = mapping_named(mapping, request.app.state.till_mappings)
    file = TillFileService(call.session).send(
        station, name, fingerprint_of(content), known, actor=call.actor, content=content
    )
    return TillFileView.seen(file)


@router.get("/v1/till-files/{file}")
def get_till_file(call: Calling, file: str) -> TillFileView:
    """One till file."""
    return TillFileView.seen(TillFileService(call.session).get(file))


@router.post("/v1/till-files/{file}/take-again", status_code=202)
def take_till_file_again(call: Calling, request: Request, file: str) -> TillFileView:
    """Have the worker take in again what was not booked of a file that was sent over HTTP and is kept."""
    files = TillFileService(call.session)
    known = mapping_named(files.get(file).mapping, request.app.state.till_mappings)
    return TillFileView.seen(files.take_again(file, known, actor=call.actor))


@router.get("/v1/till-files/{file}/refusals")
def list_refusals(call: Calling, file: str, cursor: Cursor = None, limit: Limit = 50) -> Page[TillFileRefusalView]:
    """What was not booked of a till file, and why: the last of it first."""
    found = TillFileService(call.session).refusals(file, cursor=cursor, limit=limit)
    return shown(found, TillFileRefusalView.seen)
