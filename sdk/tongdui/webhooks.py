"""Checking what arrives at your webhook endpoint. Needs `pip install tongdui[webhooks]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pydantic
from standardwebhooks import Webhook, WebhookVerificationError

from ._errors import VerificationError
from ._models import Model


class WebhookEvent(Model):
    """What happened. `id` stays the same over all attempts: remember it, and a repetition does no harm."""

    id: str
    type: str
    timestamp: datetime
    subject: str
    data: dict[str, Any] = pydantic.Field(default_factory=dict)


def verify(body: bytes | str, headers: Mapping[str, str], secret: str | Sequence[str]) -> WebhookEvent:
    """The event in a request, if the network sent it with this endpoint's `secret` in the last five minutes.

    `body` as it arrived, byte for byte; `headers` of the request, in any case. Give several secrets while you change
    them. Raises VerificationError (`webhook`), then answer 400 and do nothing.
    """
    hooks = [Webhook(one) for one in ([secret] if isinstance(secret, str) else secret)]
    if not hooks:
        raise ValueError("give at least one secret")
    failure: Exception | None = None
    for hook in hooks:
        try:
            return WebhookEvent.model_validate(hook.verify(body, dict(headers)))
        except (WebhookVerificationError, pydantic.ValidationError, ValueError) as error:
            failure = error
    raise VerificationError("webhook", f"this is not a request of the network: {failure}") from failure
