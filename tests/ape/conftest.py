"""A network as a Python developer would set one up with ape: two merchants, two programs, one agreement."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ape
import pytest
from eth_abi.packed import encode_packed
from eth_account import Account

from scripts.dev.services import Anvil
from tongdui.orders import AgreementTerms, Domain, Order, full_signature, sign_digest

OPERATOR, SEQUENCER, TREASURY = range(3)  # the contract's Role
FUEL, CINE = 1, 2  # programs, and at the same time the merchants that run them
SHANGHAI = 8 * 3600
YUAN = 1_000_000
SHIPPED = Path(__file__).parents[2] / "clearing" / "chain" / "artifacts" / "ClearingHouse.json"


def pytest_configure(config: pytest.Config) -> None:
    """Starts the chain: ape itself gives anvil 20 seconds and a port that another program may be using."""
    node = Anvil(chain_id=1337, hardfork="paris", arguments=["--steps-tracing"]).start()
    config.add_cleanup(node.close)
    os.environ["APE_FOUNDRY_HOST"] = node.url


@dataclass
class Network:
    """A deployed clearing house with the accounts that run it and the keys of its merchants."""

    house: Any
    operator: Any
    keys: dict[int, bytes]
    chain_id: int

    @property
    def domain(self) -> Domain:
        return Domain(self.chain_id, str(self.house.address))

    def execute(self, *orders: Order) -> Any:
        """Signs orders as their merchants and puts them into one batch, packed here and not by the SDK."""
        packed = b"".join(self.pack(order) for order in orders)
        return self.house.execute(packed, [], sender=self.operator)

    def pack(self, order: Order) -> bytes:
        """An order with its signature, in the form in which it travels."""
        signature = sign_digest(order.digest(self.domain), self.keys[order.merchant])
        head = (order.merchant, order.nonce, order.deadline, order.atomic, len(order.instructions))
        packed = encode_packed(["uint32", "uint48", "uint40", "bool", "uint16"], head)
        return packed + signature + b"".join(self._instruction(i) for i in order.instructions)

    @staticmethod
    def _instruction(i: Any) -> bytes:
        linked = any(i.link)
        numbers = (linked, int(i.kind), i.program, i.agreement, i.expiry_day, i.points, i.min_out, 0)
        types = ["bool", "uint8", "uint32", "uint32", "uint32", "uint64", "uint64", "uint16"]
        packed = encode_packed([*types, "address", "bytes32"], (*numbers, i.member, i.ref))
        return packed + (i.link if linked else b"")


@pytest.fixture
def network(project: Any, accounts: Any, chain: Any) -> Network:
    """100 fuel points buy 80 cinema points; fuel pays the cinema 0.05 yuan a point, and the operator 1 %."""
    operator = accounts[0]
    deployed = operator.deploy(project.ClearingHouse, operator, b"operator".ljust(32, b"\0"), SHANGHAI)
    # With what the lens answers at the house's address, which ape does not know of.
    house = ape.Contract(deployed.address, abi=json.loads(SHIPPED.read_text())["abi"])
    keys = {FUEL: b"\x11" * 32, CINE: b"\x22" * 32}
    net = Network(house, operator, keys, chain.chain_id)
    for role in (OPERATOR, SEQUENCER, TREASURY):
        house.setRole(role, operator, True, sender=operator)
    for number, name in ((FUEL, b"FUEL"), (CINE, b"CINE")):
        key = Account.from_key(keys[number]).address
        word = name.ljust(32, b"\0")
        house.registerMerchant(number, word, key, 100 * YUAN, sender=operator)
        house.registerProgram(number, number, word, word, sender=operator)
    terms = AgreementTerms(
        kind=1,
        initiators=1,
        fee_bps=100,
        lifetime_days=365,
        source_merchant=FUEL,
        target_merchant=CINE,
        source_program=FUEL,
        target_program=CINE,
        valid_from=0,
        valid_until=2**40 - 1,
        rate_num=4,
        rate_den=5,
        unit_price_micros=50_000,
        max_points=10_000,
        daily_cap=100_000,
        supersedes=0,
        grace_seconds=0,
        accept_by=0,
        keep_expiry=False,
        document=b"\x01" * 32,
    )
    signatures = [full_signature(sign_digest(terms.digest(net.domain), keys[m])) for m in (FUEL, CINE)]
    fields = tuple(getattr(terms, name) for name in terms.__dataclass_fields__)
    house.registerAgreement(1, fields, *signatures, sender=operator)
    return net
