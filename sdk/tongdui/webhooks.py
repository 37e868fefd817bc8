"""Verifies the requests that arrive at your webhook endpoint. Needs `pip install tongdui[webhooks]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pydantic
from standardwebhooks import Webhook, WebhookVerificationError

from ._errors import VerificationError
from ._models import EventData


class WebhookEvent(EventData):
    """Something that happened. `id` is the same in every attempt: remember it, and a repetition does no harm."""

    id: str
    type: str
    timestamp: datetime
    subject: str


def verify(body: bytes | str, headers: Mapping[str, str], secret: str | Sequence[str]) -> WebhookEvent:
    """Read the event in a request, after checking that the network sent it in the last five minutes.

    Args:
        body: The request's body as it arrived, byte for byte.
        headers: The request's headers, in upper or lower case.
        secret: The endpoint's secret, or several while you change it.

    Returns:
        The event.

    Raises:
        VerificationError: The network did not send this (`webhook`). Answer 400 and do nothing.
        ValueError: There is no secret.
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
    raise VerificationError("webhook", f"the network did not send this request: {failure}") from failure
