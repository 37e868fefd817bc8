"""The API's description: OpenAPI 3.1 at /openapi.json, and a page at /docs that needs nothing from the internet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from gateway.http import expansion
from gateway.http.auth import RULES
from gateway.http.problems import Problem

DESCRIPTION = """
Clearing network for loyalty points. Points are whole numbers; `*_micros` are millionths of the settlement currency; times are
RFC 3339 in UTC; a day begins in the network's time zone.

Send `Authorization: Bearer tdk_...` (an API key) or `tds_...` (a person's session), and with every mutation an
`Idempotency-Key`: the same key with the same body gives the first answer again (`Idempotent-Replayed: true`). What people do
about their own sessions, passwords and second factors needs no such key. Sums may exceed 2^53 - 1: a client whose numbers are
doubles sends `Accept: application/json;IEEE754Compatible=true` and gets every integer as text. Errors are RFC 9457 problem
documents. Lists come in pages: pass `next_cursor` as `cursor`.
""".strip()


@dataclass(frozen=True, slots=True)
class Extras:
    """What the concepts of the API add to its description."""

    tags: Mapping[str, str]
    """What each group of operations is about."""
    bodies: Mapping[tuple[str, str], dict[str, Any]]
    """For each method and path, a body that can be sent as it stands."""
    paths: Mapping[str, str]
    """For each parameter of a path, a value."""
    webhooks: Callable[[dict[str, Any]], dict[str, Any]]
    """Makes the section `webhooks`, and adds the schemas that it needs."""


def install(app: FastAPI, extras: Extras) -> None:
    """Adds /docs with its assets, and /openapi.json."""
    assets = Path(str(files("fastapi_offline"))) / "static"
    app.mount("/docs/assets", StaticFiles(directory=assets), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
        )

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app, extras)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign] # FastAPI's documented way


def _schema(app: FastAPI, extras: Extras) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary="Points that are redeemable everywhere",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in extras.tags.items()],
        servers=[{"url": "/", "description": "this gateway"}],
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    )
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "tdk_<id>_<secret>"},
        "session": {"type": "http", "scheme": "bearer", "bearerFormat": "tds_<id>_<secret>"},
    }
    _add_expansions(app, schemas)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/"):
                is_open = RULES[method.upper(), path].is_open
                operation["security"] = [] if is_open else [{"api_key": []}, {"session": []}]
            _add_examples(operation, extras.bodies.get((method.upper(), path)), extras.paths)
    schema["webhooks"] = extras.webhooks(schemas)
    for name, described in schemas.items():
        described["title"] = _title(name)
    return schema


def _add_examples(operation: dict[str, Any], body: dict[str, Any] | None, paths: Mapping[str, str]) -> None:
    if body is not None and "requestBody" in operation:
        for content in operation["requestBody"]["content"].values():
            content["example"] = body
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and parameter["name"] in paths:
            parameter["example"] = paths[parameter["name"]]


def _title(name: str) -> str:
    """A schema's name for people: `Page_MovementView_` is a page of movements."""
    name = name.strip("_").replace("View", "").replace("Union_", "").replace("__", "_or_")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).split("_")
    text = " of ".join(word.strip() for word in words if word).replace(" of or of ", " or ")
    return text[:1] + text[1:].lower()


def _add_expansions(app: FastAPI, schemas: dict[str, Any]) -> None:
    """Describes `expanded` in every view that has it. It is there only if a request asks for it."""
    shown = {noun: {"$ref": f"#/components/schemas/{noun.capitalize()}View"} for noun in set(expansion.FIELDS.values())}
    for route in app.state.paths.routes:
        fields = getattr(route, "expandable", ())
        if fields:
            described = {
                "type": "object",
                "description": "what `expand[]` asked for; null where there is none, or you may not see it",
                "properties": {
                    field: {"anyOf": [shown[expansion.FIELDS[field]], {"type": "null"}]} for field in fields
                },
            }
            for element in expansion.element_types(route.response_model):
                schemas[element.__name__]["properties"]["expanded"] = described
