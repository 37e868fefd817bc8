"""Query parameters that a route does not know. Most are misspelt known ones, so no answer would be the one that was meant."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes

from clearing.kit.errors import FieldError, InvalidRequest


def query_parameters(dependant: Dependant) -> tuple[frozenset[str], frozenset[str]]:
    """The names of a route's query parameters: all of them, and those that may stand in a query more than once."""
    parameters = [
        parameter
        for parameter in get_flat_params(dependant)
        if parameter.field_info.in_ is ParamTypes.query  # type: ignore[attr-defined]
    ]
    lists = {parameter.alias for parameter in parameters if parameter.alias.endswith("[]")}
    return frozenset(parameter.alias for parameter in parameters), frozenset(lists)


def refuse_unknown(request: Request, known: frozenset[str], lists: frozenset[str]) -> None:
    """Refuses a query with a parameter that is not known, or that is there twice although only one value counts."""
    if not request.scope["query_string"]:
        return  # most mutations
    counts = Counter(name for name, _ in request.query_params.multi_items())
    errors = [FieldError("", _advice(name, known), name) for name in counts if name not in known]
    errors += [
        FieldError("", "is there more than once; give it once", name)
        for name, count in counts.items()
        if count > 1 and name in known - lists
    ]
    if errors:
        raise InvalidRequest("; ".join(f"{e.parameter}: {e.detail}" for e in errors[:3]), errors=tuple(errors[:20]))


def _advice(name: str, known: frozenset[str]) -> str:
    near = get_close_matches(name, known, 1)
    if near:
        return f"is not a parameter of this request; did you mean {near[0]}?"
    if not known:
        return "is not a parameter of this request: it takes none"
    return f"is not a parameter of this request; it takes {', '.join(sorted(known))}"
