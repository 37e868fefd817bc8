"""What the operator sees and does: the network at work, pausing it, chain events in quarantine; and batches, for everyone."""

from __future__ import annotations

from datetime import datetime

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, optional_name_of, segment
from tongdui._operations import AuditEntry, Batch, Operations, QuarantinedEvent, QuarantineRetry, Sequencing
from tongdui._pagination import Query, listing, moment_parameter
from tongdui._resource import Resource

_PATH = "/v1/operations"
_BATCHES = "/v1/batches"
_QUARANTINE = "/v1/quarantined_events"


class _OperationsInfo(Resource):
    @operation
    def get(self) -> Flow[Operations]:
        """Fetch the queue, what is on its way to the chain, the daemons, the node, and the newest reconciliation.

        Returns:
            The network at work, as it is now.

        Raises:
            ForbiddenError: You are neither the operator nor an auditor.
        """
        return (yield from self._gateway.get(Operations, _PATH))

    @operation
    def pause(self, reason: str, *, idempotency_key: str | None = None) -> Flow[Sequencing]:
        """Put no more orders into batches; what is signed is still sent.

        Args:
            reason: Why, for whoever looks at it later.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            Who paused sequencing, and why: somebody else, if it was paused already.
        """
        body = {"reason": reason}
        return (yield from self._gateway.post(Sequencing, f"{_PATH}/pause", body, key=idempotency_key))

    @operation
    def resume(self, *, idempotency_key: str | None = None) -> Flow[Sequencing]:
        """Put orders into batches again.

        Args:
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            Sequencing that goes on.
        """
        response = yield from self._gateway.send("POST", f"{_PATH}/resume", key=idempotency_key)
        return self._gateway.parse(Sequencing, response)


class _Batches(Resource):
    @listing
    def list(self, *, page_size: int | None = None) -> Query[Batch]:
        """List the batches that the chain has closed, newest first, `page_size` at a time."""
        return Query(_BATCHES, Batch, {"limit": page_size})

    @operation
    def get(self, number: int) -> Flow[Batch]:
        """Fetch one batch by its number on the chain. Raises NotFoundError."""
        return (yield from self._gateway.get(Batch, f"{_BATCHES}/{segment(str(number))}"))


class _QuarantinedEvents(Resource):
    @listing
    def list(self, *, page_size: int | None = None) -> Query[QuarantinedEvent]:
        """List the chain events that could not be applied, oldest first, `page_size` at a time."""
        return Query(_QUARANTINE, QuarantinedEvent, {"limit": page_size})

    @operation
    def retry(self, *, idempotency_key: str | None = None) -> Flow[QuarantineRetry]:
        """Apply every event in quarantine that can be applied now; the others stay there.

        Args:
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            How many were applied, and how many failed again.
        """
        response = yield from self._gateway.send("POST", f"{_QUARANTINE}/retry", key=idempotency_key)
        return self._gateway.parse(QuarantineRetry, response)


class _AuditLog(Resource):
    @listing
    def list(
        self,
        *,
        actor: str | Identified | None = None,
        type: str | None = None,  # noqa: A002
        subject: str | Identified | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int | None = None,
    ) -> Query[AuditEntry]:
        """List who did what to the network, newest first. The operator and auditors may.

        Args:
            actor: Only what this person (`staff:...`), API key (`key_...`) or command did.
            type: Only acts of this type, such as `merchant.registered`.
            subject: Only what was done to this.
            created_from: Only from this moment on.
            created_before: Only before this moment.
            page_size: Acts to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "actor": optional_name_of(actor),
            "type": type,
            "subject": optional_name_of(subject),
            "created[gte]": moment_parameter(created_from, "created_from"),
            "created[lt]": moment_parameter(created_before, "created_before"),
            "limit": page_size,
        }
        return Query("/v1/audit_log", AuditEntry, params)


class OperationsInfo(Blocking, _OperationsInfo):
    """The network at work, for whoever operates it."""


class AsyncOperationsInfo(Awaiting, _OperationsInfo):
    """The network at work, for whoever operates it. Its methods are awaited."""


class Batches(Blocking, _Batches):
    """Batches, as the chain closed them."""


class AsyncBatches(Awaiting, _Batches):
    """Batches, as the chain closed them. Its methods are awaited."""


class QuarantinedEvents(Blocking, _QuarantinedEvents):
    """Chain events that could not be applied."""


class AsyncQuarantinedEvents(Awaiting, _QuarantinedEvents):
    """Chain events that could not be applied. Its methods are awaited."""


class AuditLog(Blocking, _AuditLog):
    """Who did what to the network."""


class AsyncAuditLog(Awaiting, _AuditLog):
    """Who did what to the network. Its methods are awaited."""
