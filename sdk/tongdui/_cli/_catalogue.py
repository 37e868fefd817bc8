"""The gateway's catalogue of events: which types there are, and a sample of each, made from its description."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ._suggestions import did_you_mean

if TYPE_CHECKING:
    from tongdui._client import Client

_LEFT_OUT = {"expanded"}
"""Fields that no event has: they are for whom asks for them."""


class Catalogue:
    """The `webhooks` section of the gateway's OpenAPI description."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = description.get("components", {}).get("schemas", {})
        self._webhooks: Mapping[str, Any] = description.get("webhooks", {})

    @classmethod
    def of(cls, client: Client) -> Catalogue:
        """Fetch the gateway's catalogue. Raises what a request raises."""
        response = client._driver.run(client._submitter.gateway.send("GET", "/openapi.json"))
        return cls(response.json())

    @property
    def types(self) -> list[str]:
        """All types of events."""
        return list(self._webhooks)

    def unknown(self, patterns: Iterable[str]) -> list[str]:
        """Name those of the patterns that fit no type, with the nearest type."""
        sources = {name.partition(".")[0] for name in self.types}
        return [
            f"the gateway's catalogue has no event {pattern}{did_you_mean(pattern, self.types)}"
            for pattern in patterns
            if pattern not in self._webhooks and not (pattern.endswith(".*") and pattern[:-2] in sources)
        ]

    def sample(self, event_type: str) -> dict[str, Any]:
        """Make the `data` of an event of this type, after the description. Raises KeyError for an unknown type."""
        body = self._webhooks[event_type]["post"]["requestBody"]["content"]["application/json"]["schema"]
        made = _Sampler(self._schemas, event_type).value(body, "")
        return dict(made.get("data", {}))


class _Sampler:
    """Makes a value for a JSON schema: its example if there is one, else the simplest value that fits."""

    def __init__(self, schemas: Mapping[str, Any], event_type: str) -> None:
        self._schemas = schemas
        source, _, action = event_type.partition(".")
        self._preferred = (action, source, "settled")
        """What an enumeration says in an event of this type, if it has it: `state` of `order.settled` is `settled`."""
        self._open: list[str] = []

    def value(self, schema: Mapping[str, Any], name: str) -> Any:
        """A value for the schema of the field `name`."""
        for key in ("const", "example", "default"):
            if schema.get(key) is not None:
                return schema[key]
        if schema.get("examples"):
            return schema["examples"][0]
        if "$ref" in schema:
            return self._referenced(schema["$ref"].rpartition("/")[2], name)
        if "allOf" in schema:
            return self._merged(schema["allOf"], name)
        if "enum" in schema:
            return next((word for word in self._preferred if word in schema["enum"]), schema["enum"][0])
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(next((one for one in choices if one.get("type") != "null"), {}), name)
        return self._plain(schema, name)

    def _referenced(self, reference: str, name: str) -> Any:
        if reference in self._open:  # a resource inside itself
            return None
        self._open.append(reference)
        try:
            return self.value(self._schemas.get(reference, {}), name)
        finally:
            self._open.pop()

    def _merged(self, schemas: Iterable[Mapping[str, Any]], name: str) -> Any:
        values = [self.value(schema, name) for schema in schemas]
        if all(isinstance(value, dict) for value in values):
            return {key: value for one in values for key, value in one.items()}
        return values[-1] if values else None

    def _plain(self, schema: Mapping[str, Any], name: str) -> Any:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            fields = schema.get("properties", {})
            return {field: self.value(of, field) for field, of in fields.items() if field not in _LEFT_OUT}
        if kind == "array":
            return [self.value(schema["items"], name)] if schema.get("items") else []
        if kind in {"integer", "number"}:
            return max(schema.get("minimum", 1), 1)
        if kind == "boolean":
            return False
        return _text(schema.get("format"), name) if kind == "string" else None


def _text(form: str | None, name: str) -> str:
    now = datetime.now(UTC)
    if form == "date-time":
        return now.isoformat().replace("+00:00", "Z")
    return now.date().isoformat() if form == "date" else f"{name}_sample"
