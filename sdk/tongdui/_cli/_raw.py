"""get and post: any path of the API with your key."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ._command import command
from ._outcomes import GOOD, WrongUseError
from ._session import Session, text_in

if TYPE_CHECKING:
    import httpx

_OUTSIDE = ("/v1/", "/healthz", "/readyz", "/openapi.json", "/metrics", "/problems/")
"""Paths that stand as they are; all others are below `/v1`."""

PathOfApi: TypeAlias = Annotated[
    str, typer.Argument(metavar="PATH", help="A path of the API, such as /v1/members or just members.")
]
Fields: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=TEXT|NAME:=JSON", help="Parameters or fields: name=FUEL is text, points:=200 is JSON."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "get")(get)
    command(app, "post")(post)


def get(session: Session, path: PathOfApi, parameters: Fields = None) -> int:
    """GET any path with your key.

    Example: tongdui get movements kind=issue limit=5
    """
    if parameters and "?" in path:
        raise WrongUseError("give the parameters either in PATH or after it, not both")
    params = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in _fields(parameters or []).items()
    }
    with session.client() as client:
        gateway = client._submitter.gateway
        response = client._driver.run(gateway.send("GET", _path(path), params=params))
    return _show(session, response)


def post(
    session: Session,
    path: PathOfApi,
    fields: Fields = None,
    data: Annotated[
        str | None,
        typer.Option("-d", "--data", metavar="JSON", help="The body; @FILE reads a file, @- standard input."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key again gets the first answer again.")
    ] = None,
) -> int:
    """POST to any path with your key; the gateway signs.

    Example: tongdui post members external_id=FC-1001
    """
    if data is not None and fields:
        raise WrongUseError("give the body either as -d JSON or as fields, not both")
    body = _body(data) if data is not None else _fields(fields or [])
    with session.client() as client:
        gateway = client._submitter.gateway
        response = client._driver.run(gateway.send("POST", _path(path), json=body, key=idempotency_key))
    return _show(session, response)


def _path(path: str) -> str:
    """The path below the gateway's URL. An URL of another server would get your key, so there is no way to name one."""
    if "://" in path:
        raise WrongUseError(f"{path!r} is an URL: write only the path, such as /v1/members")
    local = "/" + path.lstrip("/")
    return local if local.startswith(_OUTSIDE) else f"/v1{local}"


def _fields(written: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in written:
        name, equals, value = field.partition("=")
        if not equals or not name.rstrip(":"):
            raise WrongUseError(f"{field!r} is not a field: write name=text, or name:=JSON for a number")
        fields[name.removesuffix(":")] = _json(value, name.removesuffix(":")) if name.endswith(":") else value
    return fields


def _body(data: str) -> Any:
    if data.startswith("@"):
        data = sys.stdin.read() if data == "@-" else text_in(Path(data[1:]))
    return _json(data, "the body")


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise WrongUseError(f"{what} is not JSON: {error}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"there is no {name} in JSON")


def _show(session: Session, response: httpx.Response) -> int:
    try:
        document = response.json()
    except ValueError:  # a CSV, a page: as it came
        if session.out.as_json:
            session.out.document(response.text)
        else:
            print(response.text)
        return GOOD
    session.out.document(document)
    session.out.lines(json.dumps(document, indent=2, ensure_ascii=False))
    return GOOD
