"""Each route of a site has a rule that says who may use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute


def unruled(routes: Sequence[BaseRoute], rules: Mapping[tuple[str, str], object]) -> list[str]:
    """Routes for which there is no rule, and rules for which there is no route."""
    served = {
        (method, str(getattr(route, "path", "")))
        for route in routes
        for method in getattr(route, "methods", None) or ()
    }
    return sorted(f"{method} {path}" for method, path in served ^ rules.keys())
