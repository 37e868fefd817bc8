"""The two clients. They differ in the driver that performs the requests, and share everything else."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Self

import httpx

from ._delivery import LONGEST_BACKOFF
from ._directory import Directory
from ._environment import client_arguments
from ._flow import AsyncDriver, Awaiting, Blocking, Driver, tls
from ._gateway import Gateway, Options
from ._kinds import KindResources
from ._nonces import NonceFile, NonceLease
from ._resource import ResourceAttribute
from ._resources.access import ApiKeys, AsyncApiKeys
from ._resources.activity import ActivityInfo, AsyncActivityInfo
from ._resources.agreements import Agreements, AsyncAgreements
from ._resources.approvals import Approvals, AsyncApprovals
from ._resources.holds import AsyncHolds, Holds
from ._resources.journal import AsyncEntries, AsyncEvents, Entries, Events
from ._resources.lots import AsyncExpirations, AsyncLots, Expirations, Lots
from ._resources.merges import AsyncMerges, Merges
from ._resources.movements import AsyncMovements, Movements
from ._resources.network import AsyncHealthInfo, AsyncNetworkInfo, HealthInfo, NetworkInfo
from ._resources.operations import (
    AsyncAuditLog,
    AsyncBatches,
    AsyncOperationsInfo,
    AsyncQuarantinedEvents,
    AuditLog,
    Batches,
    OperationsInfo,
    QuarantinedEvents,
)
from ._resources.orders import AsyncNonces, AsyncOrders, AsyncQuotes, Nonces, Orders, Quotes
from ._resources.parties import AsyncMembers, AsyncMerchants, AsyncPrograms, Members, Merchants, Programs
from ._resources.profile import AsyncProfileInfo, ProfileInfo
from ._resources.sessions import AsyncSessions, Sessions
from ._resources.settlement import AsyncDeposits, AsyncPositions, AsyncWithdrawals, Deposits, Positions, Withdrawals
from ._resources.staff import AsyncInvitations, AsyncPasswordResets, AsyncStaff, Invitations, PasswordResets, Staff
from ._resources.statements import AsyncStatements, Statements
from ._resources.webhooks import AsyncWebhookEndpoints, WebhookEndpoints
from ._signing import Signer
from ._submission import OrderSubmitter


class BaseClient(KindResources):
    """What both clients have in common: the arguments and the resources."""

    network = ResourceAttribute(NetworkInfo, AsyncNetworkInfo)
    health = ResourceAttribute(HealthInfo, AsyncHealthInfo)
    merchants = ResourceAttribute(Merchants, AsyncMerchants)
    programs = ResourceAttribute(Programs, AsyncPrograms)
    members = ResourceAttribute(Members, AsyncMembers)
    merges = ResourceAttribute(Merges, AsyncMerges)
    agreements = ResourceAttribute(Agreements, AsyncAgreements)
    quotes = ResourceAttribute(Quotes, AsyncQuotes)
    holds = ResourceAttribute(Holds, AsyncHolds)
    movements = ResourceAttribute(Movements, AsyncMovements)
    orders = ResourceAttribute(Orders, AsyncOrders)
    nonces = ResourceAttribute(Nonces, AsyncNonces)
    positions = ResourceAttribute(Positions, AsyncPositions)
    deposits = ResourceAttribute(Deposits, AsyncDeposits)
    withdrawals = ResourceAttribute(Withdrawals, AsyncWithdrawals)
    entries = ResourceAttribute(Entries, AsyncEntries)
    batches = ResourceAttribute(Batches, AsyncBatches)
    events = ResourceAttribute(Events, AsyncEvents)
    activity = ResourceAttribute(ActivityInfo, AsyncActivityInfo)
    statements = ResourceAttribute(Statements, AsyncStatements)
    lots = ResourceAttribute(Lots, AsyncLots)
    expirations = ResourceAttribute(Expirations, AsyncExpirations)
    webhook_endpoints = ResourceAttribute(WebhookEndpoints, AsyncWebhookEndpoints)
    api_keys = ResourceAttribute(ApiKeys, AsyncApiKeys)
    approvals = ResourceAttribute(Approvals, AsyncApprovals)
    sessions = ResourceAttribute(Sessions, AsyncSessions)
    operations = ResourceAttribute(OperationsInfo, AsyncOperationsInfo)
    audit_log = ResourceAttribute(AuditLog, AsyncAuditLog)
    quarantined_events = ResourceAttribute(QuarantinedEvents, AsyncQuarantinedEvents)
    profile = ResourceAttribute(ProfileInfo, AsyncProfileInfo)
    staff = ResourceAttribute(Staff, AsyncStaff)
    invitations = ResourceAttribute(Invitations, AsyncInvitations)
    password_resets = ResourceAttribute(PasswordResets, AsyncPasswordResets)

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        signer: Signer | None = None,
        merchant: str | None = None,
        contract: str | None = None,
        chain_id: int | None = None,
        rpc_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 4,
        longest_backoff: float = LONGEST_BACKOFF,
        deadline_seconds: int = 600,
        nonce_block: int = 20,
        nonce_file: str | Path | None = None,
        transport: Any = None,
    ) -> None:
        options = Options(
            base_url=base_url.rstrip("/"),
            api_key=api_key,
            signer=signer,
            merchant=merchant,
            contract=contract,
            chain_id=chain_id,
            rpc_url=rpc_url,
            timeout=timeout,
            max_retries=max_retries,
            longest_backoff=longest_backoff,
            deadline_seconds=deadline_seconds,
            nonce_block=nonce_block,
        )
        gateway = Gateway(options)
        file = None
        if nonce_file is not None and signer is not None:
            file = NonceFile(nonce_file, signer.address, deadline_seconds)
        nonces = NonceLease(nonce_block, file, deadline_seconds)
        self._submitter = OrderSubmitter(gateway, Directory(gateway), nonces)
        self._open(options, transport)

    def _open(self, options: Options, transport: Any) -> None:
        raise NotImplementedError

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Make a client from environment variables.

        `TONGDUI_URL` and `TONGDUI_API_KEY` say where the gateway is and who you are. `TONGDUI_KEYSTORE` and
        `TONGDUI_KEYSTORE_PASSWORD` make a local signer. `TONGDUI_NONCE_FILE`, `TONGDUI_CONTRACT`, `TONGDUI_CHAIN_ID` and
        `TONGDUI_RPC_URL` are the arguments of these names.

        Args:
            overrides: Arguments of the client. They win over the environment.

        Returns:
            The client.

        Raises:
            ValueError: A variable is missing or wrong; the message names it.
            SigningError: TONGDUI_KEYSTORE is no keystore, or TONGDUI_KEYSTORE_PASSWORD is not its password.
        """
        arguments = client_arguments(os.environ, overrides)
        try:
            return cls(**arguments)
        except sqlite3.Error as error:
            if overrides.get("nonce_file") is not None:
                raise
            raise ValueError(f"TONGDUI_NONCE_FILE: {arguments['nonce_file']} cannot be used: {error}") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._submitter.gateway.options.base_url!r})"


class Client(BaseClient, Blocking):
    """Blocking client. Threads may share it. Use it as a context manager, or `close` it.

    ```
    with Client("https://gateway.example", "tdk_...", signer=signer) as client:
        movement = client.issuances.create(program="FUEL", member="external:FC-1001", points=200, wait=10)
        print(movement.settled().tx_hash)
    ```

    Args:
        base_url: Where the gateway is, without `/v1`.
        api_key: `tdk_...`, or the token `tds_...` of a person's session; says who you are and what you may do.
        signer: Signs orders and agreements on this machine. Without it, the gateway signs with the key that it keeps for
            you.
        merchant: Id of the signer's merchant. Needed only if the API key does not let the client find it.
        contract: Address of the clearing house that you trust. The client signs for no other.
        chain_id: Id of the chain that you trust. The client signs for no other.
        rpc_url: A chain node, or several, separated by commas, the preferred one first. Before it signs, the client then compares
            the contract, your merchant number, program numbers and the terms of agreements with the chain.
        timeout: Seconds for connecting, and for each answer (in addition to `wait`).
        max_retries: How many times a request is sent again after connection errors, 409 in flight, 429, 502, 503, 504. What the
            gateway could not recognise as the same request, such as a sign-in, is sent once (`OutcomeUnknownError`).
        longest_backoff: Seconds that a retry may wait. If the gateway names more (`Retry-After`), the error is raised at once and
            carries it.
        deadline_seconds: How long a signed order is valid.
        nonce_block: How many order nonces are leased at a time.
        nonce_file: A file (SQLite) for the nonces that your idempotency keys sign with, so that a retry after a restart
            signs with the same one. Processes on one machine may share it.
        transport: An httpx transport of your own, for proxies or tests.

    Raises:
        ValueError: An argument is wrong.
    """

    def _open(self, options: Options, transport: httpx.BaseTransport | None) -> None:
        self._http = httpx.Client(base_url=options.base_url, transport=transport, verify=tls())
        self._driver = Driver(self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(BaseClient, Awaiting):
    """Asynchronous client, on asyncio or trio. It takes the arguments of `Client`.

    ```
    async with AsyncClient("https://gateway.example", "tdk_...") as client:
        async for exchange in client.exchanges.list(member="external:FC-1001"):
            print(exchange.points, exchange.state)
    ```
    """

    def _open(self, options: Options, transport: httpx.AsyncBaseTransport | None) -> None:
        self._http = httpx.AsyncClient(base_url=options.base_url, transport=transport, verify=tls())
        self._driver = AsyncDriver(self._http)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
