"""The two clients. They differ in the driver that performs the requests; everything else is shared (`_flow`,
`_resources`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import httpx

from ._core import Core, Options
from ._flow import AsyncDriver, Driver, tls
from ._instructions import Desk
from ._nonces import NonceFile, NonceLease
from ._reference import Book
from ._resources._access import ApiKeys, AsyncApiKeys
from ._resources._agreements import Agreements, AsyncAgreements
from ._resources._holds import AsyncHolds, Holds
from ._resources._journal import AsyncEntries, AsyncEvents, Entries, Events
from ._resources._movements import (
    AsyncExchanges,
    AsyncIssuances,
    AsyncNonces,
    AsyncOrders,
    AsyncQuotes,
    AsyncRedemptions,
    Exchanges,
    Issuances,
    Nonces,
    Orders,
    Quotes,
    Redemptions,
)
from ._resources._network import AsyncHealthInfo, AsyncNetworkInfo, HealthInfo, NetworkInfo
from ._resources._parties import AsyncMembers, AsyncMerchants, AsyncPrograms, Members, Merchants, Programs
from ._resources._settlement import (
    AsyncDeposits,
    AsyncPositions,
    AsyncWithdrawals,
    Deposits,
    Positions,
    Withdrawals,
)
from ._resources._webhooks import AsyncWebhookEndpoints, WebhookEndpoints
from ._signing import LocalSigner, Signer


class _Base:
    """What the constructor of either client takes."""

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
        deadline_seconds: int = 600,
        nonce_block: int = 20,
        nonce_file: str | Path | None = None,
        transport: Any = None,
    ) -> None:
        """A client of the gateway at `base_url`.

        Args:
            base_url: where the gateway is, without `/v1`.
            api_key: `tdk_...`; says who you are and what you may do.
            signer: signs orders and agreements on this machine. Without it the gateway signs with the key it manages
            for you. merchant: id of the signer's merchant; needed only where the API key does not let the client find
            it. contract: address of the clearing house that you trust. A gateway that serves another one gets no
            signature. chain_id: the chain that you trust, likewise.
            rpc_url: a chain node. The client then takes from the chain itself, or compares with it, the contract,
                your merchant number, program numbers and the terms of agreements before it signs.
            timeout: seconds for connecting, and for each answer (on top of `wait`).
            max_retries: how often a request is sent again after connection errors, 409 in flight, 429, 502, 503, 504.
            deadline_seconds: how long a signed order stays good.
            nonce_block: how many order nonces are leased at a time.
            nonce_file: a file (SQLite) in which the client notes which nonce each idempotency key of yours signs with,
                so that a retry after a restart signs with the same one. Processes of one machine may share it.
            transport: an httpx transport of your own (proxies, tests).
        """
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
            deadline_seconds=deadline_seconds,
            nonce_block=nonce_block,
        )
        core = Core(options)
        file = None
        if nonce_file is not None and signer is not None:
            file = NonceFile(nonce_file, signer.address, deadline_seconds)
        self._desk = Desk(core, Book(core), NonceLease(nonce_block, file, deadline_seconds))
        self._open(options, transport)

    def _open(self, options: Options, transport: Any) -> None:
        raise NotImplementedError

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """A client as the environment describes it; arguments given here win.

        `TONGDUI_URL`, `TONGDUI_API_KEY`, `TONGDUI_KEYSTORE` with `TONGDUI_KEYSTORE_PASSWORD` (a local signer),
        `TONGDUI_NONCE_FILE`, `TONGDUI_CONTRACT`, `TONGDUI_CHAIN_ID`, `TONGDUI_RPC_URL`. Raises ValueError when there is
        no `TONGDUI_URL`.
        """
        env = os.environ
        found: dict[str, Any] = {
            "api_key": env.get("TONGDUI_API_KEY"),
            "contract": env.get("TONGDUI_CONTRACT") or None,
            "rpc_url": env.get("TONGDUI_RPC_URL") or None,
            "nonce_file": env.get("TONGDUI_NONCE_FILE") or None,
        }
        if env.get("TONGDUI_CHAIN_ID"):
            found["chain_id"] = int(env["TONGDUI_CHAIN_ID"])
        if env.get("TONGDUI_KEYSTORE") and "signer" not in overrides:
            password = env.get("TONGDUI_KEYSTORE_PASSWORD", "")
            found["signer"] = LocalSigner.from_keystore(env["TONGDUI_KEYSTORE"], password)
        given = {**found, **overrides}
        url = given.pop("base_url", None) or env.get("TONGDUI_URL")
        if not url:
            raise ValueError("TONGDUI_URL is not set: where is the gateway?")
        return cls(url, **given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._desk.core.options.base_url!r})"


class Client(_Base):
    """Blocking client; safe to share between threads. Use it as a context manager, or `close` it.

    ```
    with Client("https://gateway.example", "tdk_...", signer=signer) as client:
        movement = client.issuances.create(program="FUEL", member="external:FC-1001", points=200, wait=10)
        print(movement.settled().tx_hash)
    ```
    """

    def _open(self, options: Options, transport: httpx.BaseTransport | None) -> None:
        self._http = httpx.Client(base_url=options.base_url, transport=transport, verify=tls())
        driver = Driver(self._http)
        self.network = NetworkInfo(self._desk, driver)
        self.health = HealthInfo(self._desk, driver)
        self.merchants = Merchants(self._desk, driver)
        self.programs = Programs(self._desk, driver)
        self.members = Members(self._desk, driver)
        self.agreements = Agreements(self._desk, driver)
        self.quotes = Quotes(self._desk, driver)
        self.issuances = Issuances(self._desk, driver)
        self.redemptions = Redemptions(self._desk, driver)
        self.exchanges = Exchanges(self._desk, driver)
        self.holds = Holds(self._desk, driver)
        self.orders = Orders(self._desk, driver)
        self.nonces = Nonces(self._desk, driver)
        self.positions = Positions(self._desk, driver)
        self.deposits = Deposits(self._desk, driver)
        self.withdrawals = Withdrawals(self._desk, driver)
        self.entries = Entries(self._desk, driver)
        self.events = Events(self._desk, driver)
        self.webhook_endpoints = WebhookEndpoints(self._desk, driver)
        self.api_keys = ApiKeys(self._desk, driver)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Base):
    """The same, awaited; runs on asyncio and trio.

    ```
    async with AsyncClient("https://gateway.example", "tdk_...") as client:
        async for exchange in client.exchanges.list(member="external:FC-1001"):
            print(exchange.points, exchange.state)
    ```
    """

    def _open(self, options: Options, transport: httpx.AsyncBaseTransport | None) -> None:
        self._http = httpx.AsyncClient(base_url=options.base_url, transport=transport, verify=tls())
        driver = AsyncDriver(self._http)
        self.network = AsyncNetworkInfo(self._desk, driver)
        self.health = AsyncHealthInfo(self._desk, driver)
        self.merchants = AsyncMerchants(self._desk, driver)
        self.programs = AsyncPrograms(self._desk, driver)
        self.members = AsyncMembers(self._desk, driver)
        self.agreements = AsyncAgreements(self._desk, driver)
        self.quotes = AsyncQuotes(self._desk, driver)
        self.issuances = AsyncIssuances(self._desk, driver)
        self.redemptions = AsyncRedemptions(self._desk, driver)
        self.exchanges = AsyncExchanges(self._desk, driver)
        self.holds = AsyncHolds(self._desk, driver)
        self.orders = AsyncOrders(self._desk, driver)
        self.nonces = AsyncNonces(self._desk, driver)
        self.positions = AsyncPositions(self._desk, driver)
        self.deposits = AsyncDeposits(self._desk, driver)
        self.withdrawals = AsyncWithdrawals(self._desk, driver)
        self.entries = AsyncEntries(self._desk, driver)
        self.events = AsyncEvents(self._desk, driver)
        self.webhook_endpoints = AsyncWebhookEndpoints(self._desk, driver)
        self.api_keys = AsyncApiKeys(self._desk, driver)

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
