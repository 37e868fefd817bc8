"""The audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from loyalty.api.audit_log.schemas import AuditEntryView
from loyalty.audit_log.service import AuditLog
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.people.actors import actor_names

router = api("audit log")
_Text = Annotated[str | None, Query(max_length=80)]


@router.get("/v1/audit-log")
def list_audit_entries(
    call: Calling, subject: _Text = None, actor: _Text = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[AuditEntryView]:
    """What was done, newest first: to a subject, by an actor, or all."""
    found = AuditLog(call.session).page(subject=subject, actor=actor, cursor=cursor, limit=limit)
    names = actor_names(call.session, (entry.actor for entry in found[0]))
    return shown(found, lambda entry: AuditEntryView.of(entry, actor_name=names.get(entry.actor)))
