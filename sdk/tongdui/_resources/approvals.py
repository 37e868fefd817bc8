"""Approvals: what needs a second person."""

from __future__ import annotations

from tongdui._approval import Approval
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, name_of, optional_name_of, segment
from tongdui._pagination import Query, listing
from tongdui._resource import Resource

_PATH = "/v1/approvals"


class _Approvals(Resource):
    @listing
    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        merchant: str | Identified | None = None,
        page_size: int | None = None,
    ) -> Query[Approval]:
        """List what was asked for, newest first (operator, treasury, auditor).

        Args:
            state: Only what is `requested` (it waits for somebody), `approved`, `declined`, `withdrawn` or `expired`.
            kind: Only `deposit`, `withdrawal`, `credit_limit`, `api_key`, `invitation` or `enabling`.
            merchant: Only what concerns this merchant.
            page_size: Approvals to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {"state": state, "kind": kind, "merchant": optional_name_of(merchant), "limit": page_size}
        return Query(_PATH, Approval, params)

    @operation
    def get(self, approval: str) -> Flow[Approval]:
        """Fetch one approval by its id. Raises NotFoundError."""
        return (yield from self._gateway.get(Approval, f"{_PATH}/{segment(approval)}"))

    @operation
    def approve(
        self, approval: str | Identified, *, idempotency_key: str | None = None, wait: float | None = None
    ) -> Flow[Approval]:
        """Let something take effect that somebody else has asked for. Harmless if it is approved already.

        Args:
            approval: The approval, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has confirmed what came of it.

        Returns:
            The approval, with the `result`; for an invitation perhaps the `link`, which only this answer has.

        Raises:
            ForbiddenError: You have asked for it yourself (`second_person_required`).
            ConflictError: It was declined or withdrawn, or its time is over (`approval_ended`).
            UnprocessableError: The rules do not allow it any more; the approval goes on waiting.
        """
        path = f"{_PATH}/{segment(name_of(approval))}"
        return (
            yield from self._gateway.post(Approval, f"{path}/approve", {}, key=idempotency_key, wait=wait, poll=path)
        )

    @operation
    def decline(self, approval: str | Identified, reason: str, *, idempotency_key: str | None = None) -> Flow[Approval]:
        """Refuse something that somebody else has asked for.

        Args:
            approval: The approval, or its id.
            reason: Why, for whoever has asked.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval.

        Raises:
            ForbiddenError: You have asked for it yourself: withdraw it (`second_person_required`).
            ConflictError: Somebody has decided already, or its time is over (`approval_ended`).
        """
        path = f"{_PATH}/{segment(name_of(approval))}/decline"
        return (yield from self._gateway.post(Approval, path, {"reason": reason}, key=idempotency_key))

    @operation
    def withdraw(self, approval: str | Identified, *, idempotency_key: str | None = None) -> Flow[Approval]:
        """Take back what you have asked for.

        Args:
            approval: The approval, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval.

        Raises:
            ForbiddenError: Somebody else has asked for it (`not_the_maker`).
            ConflictError: Somebody has decided already, or its time is over (`approval_ended`).
        """
        path = f"{_PATH}/{segment(name_of(approval))}/withdraw"
        return (yield from self._gateway.post(Approval, path, {}, key=idempotency_key))


class Approvals(Blocking, _Approvals):
    """Approvals: what needs a second person."""


class AsyncApprovals(Awaiting, _Approvals):
    """Approvals: what needs a second person. Its methods are awaited."""
