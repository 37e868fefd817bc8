"""What lists of movements may be narrowed to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TypedDict

from ._gateway import Identified, expanding, optional_name_of
from ._instruction import MemberName, ProgramName
from ._models import Movement
from ._pagination import Query


class MovementFilters(TypedDict, total=False):
    """Which movements to list. Leave out what does not matter.

    Attributes:
        direction: `in` for what you receive, `out` for what you give.
        counterparty: The merchant on the other side, or its id.
        member: Whose points they are: `external:...` as you know the member, or the id that a movement shows.
        program: That points leave or enter.
        state: accepted, submitted, settled, rejected, expired or cancelled.
        reference: Your own document number.
        original: The movement that they undo, or its id: finds its reversals.
        created_from: Accepted at this moment or later.
        created_before: Accepted before this moment.
        expand: Fields to show whole, such as `["counterparty", "member"]`: they are in `expanded` then.
        page_size: Elements to fetch at a time.
    """

    direction: str | None
    counterparty: str | Identified | None
    member: MemberName | None
    program: ProgramName | None
    state: str | None
    reference: str | None
    original: str | Identified | None
    created_from: datetime | None
    created_before: datetime | None
    expand: Collection[str]
    page_size: int | None


def movement_query(path: str, filters: MovementFilters, kind: str | None = None) -> Query[Movement]:
    """Make the query of a list of movements. Raises TypeError for a filter that there is not."""
    if unknown := set(filters) - set(MovementFilters.__annotations__):
        raise TypeError(f"movements have no filter {', '.join(sorted(unknown))}")
    params = {
        "kind": kind,
        "direction": filters.get("direction"),
        "counterparty": optional_name_of(filters.get("counterparty")),
        "member": optional_name_of(filters.get("member")),
        "program": optional_name_of(filters.get("program")),
        "state": filters.get("state"),
        "reference": filters.get("reference"),
        "original": optional_name_of(filters.get("original")),
        "created[gte]": _moment(filters.get("created_from")),
        "created[lt]": _moment(filters.get("created_before")),
        "limit": filters.get("page_size"),
        **expanding(filters.get("expand", ())),
    }
    return Query(path, Movement, params)


def _moment(at: datetime | None) -> str | None:
    """A moment as the API takes it. A time without a zone is the machine's."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None
