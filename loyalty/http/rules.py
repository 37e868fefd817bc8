"""Which roles may call which route. A route without a line here cannot be served."""

from __future__ import annotations

from typing import Final

from loyalty.staff.models import Role

PUBLIC: Final[frozenset[Role]] = frozenset()
"""For everybody, without a key."""
_OFFICE = frozenset({Role.MARKETING, Role.MANAGER, Role.AUDITOR})
_MANAGERS = frozenset({Role.MANAGER})
_LOOKING = frozenset({Role.MANAGER, Role.AUDITOR})

RULES: Final[dict[tuple[str, str], frozenset[Role]]] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/v1/wishes"): _OFFICE,
    ("GET", "/v1/wishes/{wish}"): _OFFICE,
    ("POST", "/v1/wishes/{wish}/retry"): _MANAGERS,
    ("POST", "/v1/wishes/{wish}/write-off"): _MANAGERS,
    ("GET", "/v1/differences"): _LOOKING,
    ("POST", "/v1/differences/{difference}/close"): _MANAGERS,
    ("GET", "/v1/keys"): _LOOKING,
    ("POST", "/v1/keys"): _MANAGERS,
    ("POST", "/v1/keys/{key}/revoke"): _MANAGERS,
    ("GET", "/v1/audit-log"): _LOOKING,
}
