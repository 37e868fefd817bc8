"""Who did what, with their names."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from loyalty.audit_log.models import AuditEntry
from loyalty.audit_log.service import COMMAND_LINE, AuditLog
from loyalty.pages.visit import Visiting, page_router
from loyalty.people.actors import actor_names
from pages.filters import read_filters
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/audit-log")
_ROWS = 50


@router.get("")
def audit_log(visit: Visiting) -> Response:
    """Entries, newest first."""
    filters = read_filters(visit.request.query_params, texts={"actor": 80, "subject": 40})
    rows, following = AuditLog(visit.session).page(
        subject=filters.asked.get("subject"),
        actor=filters.asked.get("actor"),
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    ids = {entry.actor for entry in rows} | {entry.subject for entry in rows}
    return visit.page(
        "audit_log/log.html",
        status=filters.status,
        rows=() if filters.mistakes else [(entry, _changes(entry)) for entry in rows],
        filters=filters,
        names=actor_names(visit.session, ids) | {COMMAND_LINE: _("Command line")},
        pager=pager_of(visit.request, following),
    )


def _changes(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """Each field with its values before and after."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, _shown(before.get(name)), _shown(after.get(name))) for name in {**before, **after}]


def _shown(value: Any) -> str | None:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)
