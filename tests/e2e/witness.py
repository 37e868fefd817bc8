"""What the end-to-end tests need of a network: to make any request, signed by anyone, and to see whether anything changed."""

from __future__ import annotations

import secrets
import time
from itertools import count
from typing import Any

import httpx

from scripts.demo.node import Node
from scripts.demo.participants import Participants
from tests.support.books import assert_books_balance
from tongdui import LocalSigner, Member
from tongdui.encoding import hex_of
from tongdui.orders import Domain, Instruction, Kind, Order

Json = dict[str, Any]
WAIT = 60.0
_numbers = count(1)


class Witness:
    """Raw HTTP as the gas station, and everything that can be known about the network."""

    def __init__(self, participants: Participants) -> None:
        self.participants = participants
        self.network = participants.network
        self.fuel = participants["FUEL"]
        self.node = Node(self.network.rpc_url, self.network.settings.contract)
        self.http = httpx.Client(base_url=self.network.url, timeout=120)

    def close(self) -> None:
        """Closes its connections."""
        self.http.close()
        self.node.close()

    # ---------------------------------------------------------------- acting

    def member(self, points: int = 0) -> Member:
        """A new member of the gas station, with points."""
        member = self.fuel.client.members.create(external_id=f"E2E-{next(_numbers)}")
        if points:
            self.fuel.client.issuances.create(program="FUEL", member=member, points=points, wait=WAIT).settled()
        return member

    def request(
        self, method: str, path: str, body: Any = None, *, code: str = "FUEL", key: str | None = None, **headers: str
    ) -> httpx.Response:
        """A request with a merchant's API key and a fresh Idempotency-Key."""
        sent = {
            "Authorization": f"Bearer {self.participants[code].api_key}",
            "Idempotency-Key": key or secrets.token_hex(8),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.http.request(method, path, json=body, headers=sent)

    def final(self, answer: httpx.Response) -> Json:
        """What a request made, once the chain has decided; the answer itself may be older."""
        deadline = time.monotonic() + WAIT
        while True:
            found: Json = self.request("GET", answer.headers["Location"]).json()
            if found["state"] not in {"accepted", "submitted"}:
                return found
            assert time.monotonic() < deadline, f"not final after {WAIT:.0f} s: {found}"
            time.sleep(0.1)

    def nonce(self, code: str = "FUEL") -> int:
        """A reserved nonce."""
        return self.participants[code].client.nonces.reserve(1).first

    def sign(
        self,
        *instructions: Instruction,
        nonce: int | None = None,
        deadline: int | None = None,
        signer: LocalSigner | None = None,
        code: str = "FUEL",
    ) -> Json:
        """The `authorization` of an order, right unless told otherwise."""
        party = self.participants[code]
        nonce = self.nonce(code) if nonce is None else nonce
        deadline = int(time.time()) + 600 if deadline is None else deadline
        order = Order(party.merchant.number, nonce, deadline, instructions)
        domain = Domain(self.network.settings.chain_id, self.network.settings.contract)
        signature = (signer or party.signer).sign(order.digest(domain))
        return {"nonce": nonce, "deadline": deadline, "signature": hex_of(signature)}

    def redeem(self, member: Member, points: int, program: str = "FUEL") -> Instruction:
        """A redemption as it is signed."""
        number = self.participants[program].program.number
        return Instruction(Kind.REDEEM, member.address, points, number)

    def redemption(self, member: Member, points: Any, **signing: Any) -> Json:
        """The body of a signed redemption of FUEL."""
        authorization = self.sign(self.redeem(member, points if isinstance(points, int) else 1), **signing)
        return {"program": "FUEL", "member": member.id, "points": points, "authorization": authorization}

    # ---------------------------------------------------------------- seeing

    def everything(self, *members: Member) -> Json:
        """All that a refused request must leave as it was: the journal's head on chain, positions, accounts, queued orders."""
        auditor = self.participants.auditor
        events = (event.id for event in auditor.events.list(page_size=50) if event.type.startswith("order."))
        return {
            "head": self.node.view("head()"),
            "funds": self.node.view("settlementFunds()"),
            "positions": {p.merchant: p for p in auditor.positions.list()},
            "accounts": [tuple(auditor.members.accounts(member.id)) for member in members],
            "last order event": next(events, None),
        }

    def points(self, member: Member, program: str = "FUEL") -> int:
        """Points that the chain says the member has."""
        number = self.participants[program].program.number
        return self.node.numbers("balanceOf(address,uint32)", [_words(member.address, number)])[0]

    def assert_books_balance(self) -> None:
        """All that the contract did is proven, and the gateway says the same."""
        assert_books_balance(self.network.rpc_url, self.network.settings.contract, self.participants.auditor)


def _words(address: str, number: int) -> bytes:
    return bytes(12) + bytes.fromhex(address.removeprefix("0x")) + number.to_bytes(32, "big")
