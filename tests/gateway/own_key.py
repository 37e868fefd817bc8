"""A merchant under test that signs its own orders."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.gateway.site import Site
from tongdui.encoding import hex_of
from tongdui.orders import Instruction as WireInstruction
from tongdui.orders import Kind, address_of_key, sign_digest
from tongdui.orders import Order as WireOrder


class OwnKey:
    """A merchant that signs its own orders."""

    def __init__(self, site: Site) -> None:
        self.key = secrets.token_bytes(32)
        code = f"OWN{secrets.randbelow(10**6)}"
        self.party = site.merchant(program=code, signer_address=address_of_key(self.key))
        self.site = site
        self.code = code
        self.member = self.party.post("/v1/members", {"external_id": "signed"})

    def body(self, nonce: int, *, seconds: int = 300, points: int = 4, key: bytes | None = None) -> dict[str, Any]:
        program = self.party.get(f"/v1/programs/{self.code}")["number"]
        wire = WireOrder(
            self.party.number,
            nonce,
            int(time.time()) + seconds,
            (WireInstruction(Kind.ISSUE, self.member["address"], points, program),),
        )
        domain = self.site.app.state.gateway.network.domain
        return {
            "program": self.code,
            "member": self.member["id"],
            "points": points,
            "authorization": {
                "nonce": nonce,
                "deadline": wire.deadline,
                "signature": hex_of(sign_digest(wire.digest(domain), key or self.key)),
            },
        }

    def nonce(self) -> int:
        return int(self.party.post("/v1/nonces", {})["first"])
