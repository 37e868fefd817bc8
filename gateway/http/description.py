"""The API's description: OpenAPI 3.1 at /openapi.json, and a page at /docs that needs nothing from the internet."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from gateway.http import expansion
from gateway.http.problems import Problem

DESCRIPTION = """
Clearing network for loyalty points. Points are whole numbers; `*_micros` are millionths of the settlement currency; times are
RFC 3339 in UTC; a day begins in the network's time zone.

Send `Authorization: Bearer tdk_...`, and with every mutation an `Idempotency-Key`: the same key with the same body gives the
first answer again (`Idempotent-Replayed: true`). Errors are RFC 9457 problem documents. Lists come in pages: pass `next_cursor`
as `cursor`.
""".strip()


def install(app: FastAPI) -> None:
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
            app.openapi_schema = _schema(app)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign] # FastAPI's documented way


def _schema(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    components = schema.setdefault("components", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.setdefault("schemas", {}).update(problem.pop("$defs", {}))
    components["schemas"]["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {
        "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "tdk_<id>_<secret>"}
    }
    _add_expansions(app, components["schemas"])
    for path, operations in schema["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                operation["security"] = [{"api_key": []}]
    return schema


def _add_expansions(app: FastAPI, schemas: dict[str, Any]) -> None:
    """Describes `expanded` in every view that has it. It is there only if a request asks for it."""
    shown = {noun: {"$ref": f"#/components/schemas/{noun.capitalize()}View"} for noun in set(expansion.FIELDS.values())}
    for route in app.state.paths.routes:
        fields = getattr(route, "expandable", ())
        if fields:
            name = expansion.element_type(route.response_model).__name__
            schemas[name]["properties"]["expanded"] = {
                "type": "object",
                "description": "what `expand[]` asked for; null where there is none, or you may not see it",
                "properties": {
                    field: {"anyOf": [shown[expansion.FIELDS[field]], {"type": "null"}]} for field in fields
                },
            }
