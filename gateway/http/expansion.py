"""`expand[]`: whole resources beside the ids that a view has (docs/decisions/0021-expansion-stands-beside-the-ids.md).

A field can be expanded because of its name, so every view has its expansions by itself.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from inspect import signature
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from fastapi import Depends, Query, Request

from clearing.kit.errors import InvalidRequest
from gateway.http.schemas import Page, View

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.http.context import Call

PARAMETER = "expand[]"

FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("merchant", "source_merchant", "target_merchant"), "merchant"),
    **dict.fromkeys(("giver", "receiver", "counterparty"), "merchant"),
    **dict.fromkeys(("program", "source_program", "target_program"), "program"),
    **dict.fromkeys(("member", "recipient", "into"), "member"),
    **dict.fromkeys(("agreement", "supersedes"), "agreement"),
    **dict.fromkeys(("movement", "reverses"), "movement"),
    "order": "order",
}
"""Fields that hold an id (of a program: its code), and what it is the id of."""


def element_types(view_type: Any) -> tuple[Any, ...]:
    """The types of a page's elements, of which a route may have several; of anything else, itself."""
    if isinstance(view_type, type) and issubclass(view_type, Page):
        view_type = next(iter(view_type.__pydantic_generic_metadata__["args"]), View)
    return get_args(view_type) if get_origin(view_type) is UnionType else (view_type,)


def expandable(view_type: Any) -> tuple[str, ...]:
    """The fields that can be expanded in a view, or in the elements of a page, whichever of several types they have."""
    first, *others = (getattr(each, "model_fields", {}) for each in element_types(view_type))
    return tuple(name for name in first if name in FIELDS and all(name in each for each in others))


def wanted(request: Request, fields: Sequence[str]) -> tuple[str, ...]:
    """The fields that a request wants to have expanded; refuses what cannot be."""
    names = tuple(dict.fromkeys(request.query_params.getlist(PARAMETER)))
    for name in names:
        if name not in fields:
            detail = f"{name} cannot be expanded here; {', '.join(fields)} can"
            raise InvalidRequest.of_parameter(PARAMETER, detail)
    return names


def documented(run: Callable[..., Any], dependency: Callable[..., Any], fields: Sequence[str]) -> None:
    """Gives a route's function the parameter `expand[]`, for the API's description."""
    names: Any = Literal[tuple(fields)]

    async def expanding(call: Any, expand: Any = None) -> Any:  # noqa: ARG001 (`wanted` reads it; this documents it)
        return call

    described = Query(alias=PARAMETER, description="show these resources whole, in `expanded`")
    expanding.__annotations__ = {
        "call": Annotated[Any, Depends(dependency)],
        "expand": Annotated[list[names] | None, described],
    }
    known = signature(run)
    parameters = [
        parameter.replace(annotation=Annotated[Any, Depends(expanding)]) if parameter.name == "call" else parameter
        for parameter in known.parameters.values()
    ]
    run.__signature__ = known.replace(parameters=parameters)  # type: ignore[attr-defined]


def expanded(call: Call, view: View) -> bytes:
    """The view as JSON, with what `expand[]` asks for in `expanded`; null where there is none, or the caller may not see it."""
    document = view.model_dump(mode="json")
    elements = document["data"] if isinstance(view, Page) else [document]
    ids: dict[str, set[str]] = defaultdict(set)
    for element in elements:
        for field in call.expand:
            if element[field] is not None:
                ids[FIELDS[field]].add(element[field])
    found = {noun: call.gateway.expanders[noun](call, wanted) for noun, wanted in ids.items()}
    shown = {
        (noun, name): resource.model_dump(mode="json")
        for noun, resources in found.items()
        for name, resource in resources.items()
    }
    for element in elements:
        element["expanded"] = {field: shown.get((FIELDS[field], element[field])) for field in call.expand}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
