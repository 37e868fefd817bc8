"""What was sent to a webhook and what was answered: the last tries, bounded, without secrets, gone with the delivery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete

from clearing.kit.errors import NotFound
from clearing.notifications.webhooks.models import WebhookDelivery
from clearing.notifications.webhooks.service import WebhookService
from gateway.api.webhook_endpoints.view import delivery_detail_view
from tests.notifications.test_webhooks import Hooked
from tests.support.chainless import ChainlessNetwork
from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
def hooked(chainless: ChainlessNetwork) -> Iterator[Hooked]:
    hooked = Hooked(chainless)
    yield hooked
    hooked.deliverer.close()


def _shown(hooked: Hooked, endpoint_id: str, event_id: str) -> dict[str, Any]:
    with hooked.chainless.database.session() as session:
        service = WebhookService(session, keyring=hooked.chainless.keyrings.webhook_secrets, settings=hooked.settings)
        endpoint = hooked.stored(endpoint_id)
        return delivery_detail_view(service.delivery(endpoint, event_id)).model_dump()


def test_a_try_shows_the_request_as_it_was_sent_and_the_answer(hooked: Hooked) -> None:
    body = b"x" * 5_000
    answer = (
        b"HTTP/1.1 500 Oops\r\nServer: till\r\nSet-Cookie: session=secret\r\nX-Long: " + b"y" * 900 + b"\r\n\r\n" + body
    )
    with WebhookReceiver(reply=lambda _: answer) as receiver:
        endpoint, secret = hooked.endpoint(receiver.url)
        event = hooked.record("thing-1")
        assert hooked.deliverer.step() == 1
    shown = _shown(hooked, endpoint, event)
    (sent,) = receiver.requests
    (tried,) = shown["tries"]
    assert shown["request_body"].encode() == sent.raw
    assert (tried["status"], tried["error"], tried["response_body"]) == (500, None, "x" * 2_048)
    assert dict(tried["response_headers"]) == {"server": "till", "x-long": "y" * 200}
    assert tried["milliseconds"] >= 0
    headers = {name.lower(): value for name, value in tried["request_headers"].items()}
    assert headers.items() <= sent.headers.items()
    assert headers["webhook-id"] == event
    assert "webhook-signature" not in headers
    assert secret.removeprefix("whsec_") not in repr(shown)


def test_only_the_last_three_tries_are_kept_and_they_go_with_the_delivery(hooked: Hooked) -> None:
    answers = iter((500, 501, 502, 503, 200))
    with WebhookReceiver(reply=lambda _: next(answers)) as receiver:
        endpoint, _ = hooked.endpoint(receiver.url)
        event = hooked.record("thing-1")
        hooked.deliver()
        again = hooked.record("thing-2")
    shown = _shown(hooked, endpoint, event)
    assert [tried["status"] for tried in shown["tries"]] == [502, 503, 200]
    assert (shown["state"], shown["attempts"]) == ("delivered", 5)
    assert hooked.deliverer.step() == 1, "nobody listens there any more"
    refused = _shown(hooked, endpoint, again)["tries"][-1]
    assert refused["status"] is refused["response_body"] is None
    assert "refused" in refused["error"].lower()
    with hooked.chainless.database.session.begin() as session:
        session.execute(delete(WebhookDelivery))
    with pytest.raises(NotFound):
        _shown(hooked, endpoint, event)
