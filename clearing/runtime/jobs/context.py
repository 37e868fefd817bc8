"""What the jobs of one process share. It is opened after the fork and closed with the process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient
from clearing.kit import tracing
from clearing.kit.config import Settings, settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.notifications.mail.delivery import MailDeliverer
from clearing.notifications.webhooks.delivery import Deliverer
from clearing.ordering.orders.traces import traceparents_of
from clearing.oversight.approvals.service import ApprovalService
from clearing.oversight.liquidity.service import Thresholds
from clearing.oversight.reconciliation.service import ReconciliationService


@dataclass(frozen=True, slots=True)
class Context:
    """Connections and keys of a worker process."""

    settings: Settings
    database: Database
    managed_keys: ManagedKeys
    mailed_links: Keyring
    network: NetworkIdentity
    deliverer: Deliverer
    mail_deliverer: MailDeliverer
    chain: ChainClient

    @classmethod
    def of(cls, configured: Settings) -> Context:
        """The context for these settings."""
        database = Database(configured.database_url)
        keyrings = Keyrings.of(configured)
        return cls(
            settings=configured,
            database=database,
            managed_keys=keyrings.managed_keys,
            mailed_links=keyrings.mailed_links,
            network=NetworkIdentity.of(configured),
            deliverer=Deliverer(database, configured, keyrings.webhook_secrets, traceparents_of),
            mail_deliverer=MailDeliverer(database, configured, keyrings.mailed_links),
            chain=ChainClient.of(configured),
        )

    @property
    def thresholds(self) -> Thresholds:
        """When a merchant's liquidity counts as low."""
        return Thresholds.of(self.settings)

    @property
    def reconciliation(self) -> ReconciliationService:
        """Compares this network's database with its chain."""
        return ReconciliationService(self.database, self.chain, self.settings)

    def approvals(self, session: Session) -> ApprovalService:
        """What waits for a second person, in this session."""
        return ApprovalService(session, keyring=self.mailed_links, settings=self.settings)

    def close(self) -> None:
        """Closes connections."""
        self.deliverer.close()
        self.chain.close()
        self.database.close()
        tracing.end()


@lru_cache
def context() -> Context:
    """This process's context, made when a job first asks for it."""
    tracing.begin("worker")
    return Context.of(settings())
