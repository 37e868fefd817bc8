"""Webhooks and API keys in the console: made, shown once, sent, sent again, and ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from clearing.kit.database import Database
from clearing.kit.signing.keyrings import Keyrings
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.notifications.webhooks.models import WebhookEndpoint
from console.webhooks.view import readable
from tests.console.sending import opened, posted
from tests.console.site import Person, Site
from tests.support.webhook_receiver import WebhookReceiver
from tongdui import AuthenticationError, Client, webhooks

SECRET = re.compile(r'data-copy="((?:whsec|tdk)_[^"]+)"')


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as found:
        yield found


def deliver(site: Site) -> None:
    """What the worker does, which this network has none of: sends what is due."""
    settings = site.network.settings.model_copy(update={"webhook_allow_local": True})
    keyring = Keyrings.of(settings).webhook_secrets
    with (
        closing(Database(settings.database_url)) as database,
        closing(Deliverer(database, settings, keyring)) as sender,
    ):
        while sender.step():
            pass


def forget_replays(site: Site, endpoint: str) -> None:
    """Lets a minute pass."""
    with closing(Database(site.network.settings.database_url)) as database, database.session.begin() as session:
        session.execute(update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint).values(replays_since=None))


def secret_in(text: str) -> str:
    """The secret that a page shows."""
    found = SECRET.search(text)
    assert found is not None, text
    return found[1]


@pytest.mark.parametrize("answered", ["[" * 100_000, '"\\ud800"', "not JSON"], ids=["deep", "half a character", "text"])
def test_a_body_that_no_page_can_show_as_json_is_shown_as_it_is(answered: str) -> None:
    assert readable(answered) == answered


def test_an_endpoint_from_its_first_event_to_its_end(
    site: Site, someone: Callable[..., Person], receiver: WebhookReceiver
) -> None:
    station = site.merchants["FUEL"].client
    with site.http(site.seats["merchant:admin"]) as http:
        page = opened(http, "/webhooks/new")
        wrong = page.send("/webhooks/new", url="http://far.example", sources="order.*", further="order settled")
        assert wrong.error("further").startswith("order is no type of events")
        wrong = page.send("/webhooks/new", url="http://far.example", further="api_key.created")
        assert wrong.error("url") == "The URL is not safe."
        assert wrong.value("url") == "http://far.example"
        typed = {"url": receiver.url, "further": "api_key.created", "description": "账务"}
        made = wrong.send("/webhooks/new", **typed)
        secret = secret_in(made.text)
        assert not SECRET.search(wrong.send("/webhooks/new", **typed).text), "sent again, it shows no secret"
        (endpoint,) = (one for one in station.webhook_endpoints.list() if one.url == receiver.url)
        path = f"/webhooks/{endpoint.id}"

        station.api_keys.create(scopes=["read"], name="heard")
        deliver(site)
        (request,) = receiver.requests
        event = webhooks.verify(request.raw, request.headers, secret)

        renewed = secret_in(opened(http, path).send(f"{path}/secret").text)
        assert renewed != secret
        again = opened(http, path).send(f"{path}/replay", since="2099-01-01T00:00")
        assert again.error("since") == "This is in the future."
        assert again.value("since") == "2099-01-01T00:00"
        assert opened(http, path).send(f"{path}/replay", since="2026-01-01T00:00").leads_to == path
        again = opened(http, path).send(f"{path}/replay", since="2026-01-01T00:00")
        assert "Events were sent again just now." in again.text
        assert again.value("since") == "2026-01-01T00:00", "nothing typed is lost, and nobody waits for a minute"
        deliver(site)
        first, sent = (one for one in receiver.requests if one.headers["webhook-id"] == event.id)
        assert first is request
        for known in (secret, renewed):
            assert webhooks.verify(sent.raw, sent.headers, known) == event, "for a day, both sign"

        admin = someone("merchant:admin")
        shown = admin.open(path)
        admin.check("webhooks-endpoint")
        shown.locator(f"#open-{event.id}").click()
        expect(shown.get_by_text("thank you").first).to_be_visible()
        admin.check("webhooks-endpoint-deliveries-event")
        again = opened(http, f"{path}/deliveries/{event.id}").send(f"{path}/deliveries/{event.id}/again")
        assert again.status == 429
        assert re.search(r"Events were sent again just now. Wait \d+ seconds, then try again.", again.text), again.text
        forget_replays(site, endpoint.id)
        shown.get_by_role("button", name="重新发送").click()
        expect(shown.get_by_text("事件正在重新发送。")).to_be_visible()

        change = opened(http, f"{path}/change")
        assert change.value("further") == "api_key.created"
        changed = change.send(f"{path}/change", url=receiver.url, sources="order.*", description="新账务")
        assert changed.leads_to == path
        found = station.webhook_endpoints.get(endpoint.id)
        assert (found.types, found.description) == (("order.*",), "新账务")
        assert opened(http, path).send(f"{path}/disable").leads_to == path
        assert station.webhook_endpoints.get(endpoint.id).state == "disabled"
        assert opened(http, path).send(f"{path}/enable").leads_to == path
        assert station.webhook_endpoints.get(endpoint.id).state == "enabled"

        for other in (site.strangers["MART"], site.seats["merchant:manager"]):
            with site.http(other) as stranger:
                status = posted(stranger, "/webhooks", f"{path}/remove").status
                assert status in (303, 403), "not theirs"
        with site.http(site.strangers["MART"]) as stranger:
            assert opened(stranger, path).status == 404
            assert opened(stranger, f"{path}/deliveries/{event.id}").status == 404
        assert station.webhook_endpoints.get(endpoint.id)

        admin.open(path)
        shown.get_by_role("button", name="删除").click()
        assert station.webhook_endpoints.get(endpoint.id), "nothing happens before it is confirmed"
        shown.get_by_role("dialog").get_by_role("button", name="永久删除").click()
        expect(shown.get_by_text("端点已删除。")).to_be_visible()
        assert endpoint.id not in [one.id for one in station.webhook_endpoints.list()]


def test_a_key_is_made_shown_once_and_revoked(site: Site, someone: Callable[..., Person]) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        wrong = opened(http, "/keys/new").send("/keys/new", name="till 7")
        assert wrong.error("scopes") == "Choose at least one."
        assert wrong.value("name") == "till 7"
        secret = secret_in(wrong.send("/keys/new", name="till 7", scopes="members").text)
        assert not SECRET.search(wrong.send("/keys/new", name="till 7", scopes="members").text), "shown once"
        page = opened(http, "/keys")
        assert "Register and change members" in page.text
        with Client(site.network.url, secret) as till:
            till.members.create(external_id="KEY-1")
    (key,) = (one for one in site.merchants["FUEL"].client.api_keys.list() if one.name == "till 7")

    admin = someone("merchant:admin", language="en", width="phone")
    shown = admin.open("/keys")
    admin.check("keys")
    shown.locator(f"#row-{key.id}").get_by_role("link", name="Revoke").click()
    admin.check("keys-key-revoke")
    with Client(site.network.url, secret) as till:
        till.members.create(external_id="KEY-2")  # nothing happens before it is confirmed
        shown.get_by_role("button", name="Revoke for good").click()
        expect(shown.get_by_text("The key is revoked: whoever has it can do nothing any more.")).to_be_visible()
        with pytest.raises(AuthenticationError):
            till.members.create(external_id="KEY-3")


def test_the_operator_makes_keys_of_the_networks_own_and_nobody_elses_are_shown_to_a_merchant(site: Site) -> None:
    with site.http(site.seats["operator"]) as http:
        wrong = opened(http, "/keys/new").send("/keys/new", name="books")
        assert wrong.error("role") == "Choose one."
        secret = secret_in(wrong.send("/keys/new", name="books", role="auditor").text)
    with Client(site.network.url, secret) as books:
        assert books.operations.get()
    (key,) = (one for one in site.operator.api_keys.list() if one.name == "books")
    with site.http(site.strangers["MART"]) as stranger:
        assert key.id not in opened(stranger, "/keys").text
        assert posted(stranger, "/keys", f"/keys/{key.id}/revoke").status == 404
    with site.http(site.seats["auditor"]) as http:
        assert posted(http, "/keys", f"/keys/{key.id}/revoke").status == 403
    assert [one.revoked_at for one in site.operator.api_keys.list() if one.id == key.id] == [None]
    assert site.operator.api_keys.revoke(key.id).revoked_at is not None
