"""A network whose first merchant subscribes to events, and a deliverer that a test steps by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from clearing.kit.events.models import Event
from clearing.kit.events.recorder import EventRecorder
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.notifications.webhooks.models import WebhookDelivery, WebhookEndpoint
from clearing.notifications.webhooks.service import WebhookService
from clearing.parties.merchants.models import Merchant
from tests.support.chainless import ChainlessNetwork


class Hooked:
    """A network whose first merchant subscribes to events."""

    def __init__(self, chainless: ChainlessNetwork) -> None:
        self.chainless = chainless
        self.settings = chainless.settings.model_copy(
            update={"webhook_allow_local": True, "webhook_timeout": 20.0, "webhook_first_retry": 1e-6}
        )
        self.deliverer = Deliverer(chainless.database, self.settings, chainless.keyrings.webhook_secrets)

    def endpoint(self, url: str, types: list[str] | None = None, merchant: int = 1) -> tuple[str, str]:
        """A new endpoint; its id and its secret."""
        with self.chainless.database.session.begin() as session:
            service = WebhookService(session, keyring=self.chainless.keyrings.webhook_secrets, settings=self.settings)
            endpoint, secret = service.create(
                session.get_one(Merchant, merchant), url=url, types=types or ["test.*"], description="", actor="test"
            )
            return endpoint.id, secret

    def record(self, subject: str, number: int = 0, kind: str = "test.happened", merchant: int = 1) -> str:
        """An event; its id."""
        with self.chainless.database.session.begin() as session:
            EventRecorder(session).record(kind, subject, actor="test", merchants=[merchant], data={"number": number})
            session.flush()
            return session.scalars(select(Event.id).order_by(Event.seq.desc()).limit(1)).one()

    def deliver(self, steps: int = 50) -> None:
        """Steps until nothing is due."""
        for _ in range(steps):
            if not self.deliverer.step():
                return
        raise AssertionError("there is always something due")

    def deliveries(self) -> list[WebhookDelivery]:
        with self.chainless.database.session.begin() as session:
            return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.event_seq)))

    def stored(self, endpoint_id: str) -> WebhookEndpoint:
        with self.chainless.database.session.begin() as session:
            return session.get_one(WebhookEndpoint, endpoint_id)

    def change(self, table: type[WebhookDelivery | WebhookEndpoint], **values: Any) -> None:
        """Time passes, in the rows."""
        with self.chainless.database.session.begin() as session:
            for row in session.scalars(select(table)):
                for name, value in values.items():
                    setattr(row, name, value)

    def events(self, kind: str) -> list[Event]:
        with self.chainless.database.session.begin() as session:
            return list(session.scalars(select(Event).where(Event.type == kind)))
