"""Webhook endpoints as a merchant meets them over HTTP."""

from __future__ import annotations

from clearing.kit.signing.keyrings import Keyrings
from clearing.notifications.webhooks.delivery import Deliverer
from tests.gateway.site import Party, Site
from tests.support.webhook_receiver import WebhookReceiver


def test_a_webhook_endpoint_from_its_secret_to_its_removal(site: Site, fuel: Party, member: str) -> None:
    with WebhookReceiver() as receiver:
        body = {"url": receiver.url, "types": ["hold.*"]}
        fuel.refused("/v1/webhook_endpoints", body, "insecure_url")
        site.settings.webhook_allow_local = True
        made = fuel.post("/v1/webhook_endpoints", body, key=f"hook-{member}")
        path = f"/v1/webhook_endpoints/{made['id']}"
        assert made["secret"].startswith("whsec_")
        assert fuel.post("/v1/webhook_endpoints", body, key=f"hook-{member}")["secret"] is None
        assert fuel.get(path)["secret"] is None

        hold = fuel.post("/v1/holds", {"program": "FUEL", "member": member, "points": 5})
        site.settings.webhook_timeout = 60
        deliverer = Deliverer(site.database, site.settings, Keyrings.of(site.settings).webhook_secrets)
        while deliverer.step():
            pass
        assert [request.body["subject"] for request in receiver.requests] == [hold["id"]]
        (delivery,) = fuel.get(f"{path}/deliveries?state=delivered")["data"]
        assert (delivery["type"], delivery["status"], delivery["attempts"]) == ("hold.created", 200, 1)

        assert fuel.post(f"{path}/replay", {"events": [delivery["event"]]}) == {"events": 1}
        while deliverer.step():
            pass
        deliverer.close()
        assert len(receiver.requests) == 2
        fuel.refused(f"{path}/replay", {}, "validation_failed")

        assert fuel.post(f"{path}/secret", None)["secret"] not in (None, made["secret"])
        changed = site.call("PATCH", path, {"types": ["order.settled"], "enabled": False}, caller=fuel.id).json()
        assert (changed["types"], changed["state"], changed["reason"]) == (
            ["order.settled"], "disabled", "switched off",
        )  # fmt: skip
        other = site.merchant("Eavesdropper")
        assert site.call("GET", path, caller=other.id).status_code == 404
        assert site.call("DELETE", path, caller=fuel.id).status_code == 200
        assert site.call("GET", path, caller=fuel.id).status_code == 404
