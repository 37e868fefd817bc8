"""A gas-station group on a real network: what it has issued, as the network says."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from eth_keyfile.keyfile import create_keyfile_json

from clearing.runtime.embedded.network import EmbeddedNetwork
from loyalty.kit.settings import Settings
from tongdui import Client, LocalSigner, Merchant, Movement, testing

WAIT = 60.0
PASSWORD = "a keystore's password"


@dataclass(slots=True)
class Station:
    """The merchant, its key and its program."""

    network: EmbeddedNetwork
    operator: Client
    treasury: Client
    merchant: Merchant
    api_key: str
    signer: LocalSigner
    keystore: Path
    client: Client
    numbers: count[int] = field(default_factory=lambda: count(1))

    def settings(self, database_url: str, **more: Any) -> Settings:
        """The settings of a programme for this merchant."""
        values: dict[str, Any] = {
            "database_url": database_url,
            "gateway_url": self.network.url,
            "api_key": self.api_key,
            "keystore": self.keystore,
            "keystore_password": PASSWORD,
            "contract": self.network.settings.contract,
            "poll_interval": 0.05,
            "longest_pause": 1,
        }
        return Settings.model_validate(values | more)

    def member(self) -> str:
        """A new member, as a wish names it."""
        number = f"LOY-{next(self.numbers)}"
        self.client.members.create(external_id=number)
        return f"external:{number}"

    def posted(self, member: str) -> int:
        """What the member has on the chain."""
        accounts = self.client.members.accounts(member)
        return sum(account.posted for account in accounts if account.program == "FUEL")

    def movements(self, member: str) -> list[Movement]:
        """All movements of a member, oldest first."""
        return [*self.client.movements.list(member=member)][::-1]


def station_on(network: EmbeddedNetwork, directory: Path) -> Station:
    """Brings a merchant with the program FUEL on board."""
    operator, treasury = (Client(network.url, network.api_keys[role]) for role in ("operator", "treasury"))
    key = secrets.token_bytes(32)
    signer, keystore = LocalSigner(key), directory / "station.json"
    # With so few iterations nobody waits: nobody steals the keys of tests.
    keystore.write_text(json.dumps(create_keyfile_json(key, PASSWORD.encode(), kdf="pbkdf2", iterations=2)))  # type: ignore[arg-type]
    merchant = operator.merchants.create(name="Changhe Petroleum", signer_address=signer.address, wait=WAIT)
    operator.programs.create(merchant=merchant, code="FUEL", name="Fuel Points", default_lifetime_days=730, wait=WAIT)
    api_key = testing.first_key(operator, treasury, merchant)
    client = Client(network.url, api_key, signer=signer, merchant=merchant.id)
    return Station(network, operator, treasury, merchant, api_key, signer, keystore, client)
