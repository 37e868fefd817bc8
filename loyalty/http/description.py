"""The description of the API (OpenAPI 3.1): what FastAPI knows, and what follows from the rules."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from loyalty.http.idempotency.service import HEADER
from loyalty.http.rules import LOOKING_POSTS, PUBLIC, RULES

_KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "description": "any text that you use for this request only; sent again, it gets the first answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def describe(app: FastAPI) -> None:
    """Adds to the description who may call what, and the idempotency key of whatever changes something."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            document.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for (method, path), roles in RULES.items():
                operation = document["paths"].get(path, {}).get(method.lower())
                if operation is not None and roles != PUBLIC:
                    operation["security"] = [{"key": []}]
                    operation["x-roles"] = sorted(role.value for role in roles)
                    if method != "GET" and (method, path) not in LOOKING_POSTS:
                        operation.setdefault("parameters", []).append(_KEY_PARAMETER)
        return plain()

    app.openapi = described  # type: ignore[method-assign]
