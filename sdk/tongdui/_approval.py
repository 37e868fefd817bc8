"""What needs a second person, as the gateway shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ._models import Model, without_secret
from ._operations import Actor


class Approval(Model):
    """What one person has asked for (the maker), and another one approves or declines (the checker).

    `state`: requested, approved, declined, withdrawn or expired. `change`: what was asked for. `before`, `after`: the values that
    it replaces, and those that take their place. `is_yours`: you have asked, so another person has to decide. `result`: the id of
    what came of it, such as a deposit's. `is_pending`: the chain has yet to confirm that.

    Shown only once: the `secret` of an API key, to whoever asks for it; the `code` and the `link` of an invitation where the
    network sends no mail, the one to whoever asks and the other to whoever approves. Whoever is invited needs both.
    """

    id: str
    kind: str
    state: str
    merchant: str | None = None
    change: Mapping[str, Any] = {}
    before: Mapping[str, Any] = {}
    after: Mapping[str, Any] = {}
    reason: str = ""
    maker: Actor
    is_yours: bool = False
    created_at: datetime
    expires_at: datetime
    decided_by: Actor | None = None
    decided_at: datetime | None = None
    decision_reason: str = ""
    result: str | None = None
    is_pending: bool = False
    secret: str | None = None
    code: str | None = None
    link: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing about it changes any more."""
        return self.state != "requested" and not self.is_pending

    def __repr_args__(self) -> Any:
        return without_secret(super().__repr_args__())
