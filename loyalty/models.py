"""All tables. Every entry point imports this, because foreign keys point from one to another."""

from __future__ import annotations

from loyalty.audit_log.models import AuditEntry
from loyalty.http.idempotency.models import IdempotencyRecord
from loyalty.network.models import Check, Difference, OutgoingOrder, Wish
from loyalty.staff.models import Key

TABLES = (AuditEntry, Check, Difference, IdempotencyRecord, Key, OutgoingOrder, Wish)
