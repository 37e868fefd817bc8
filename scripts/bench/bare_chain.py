"""A clearing house driven by raw transactions, without gateway and database: what the chain itself can do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import permutations
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from clearing.chain import contract
from clearing.chain.client import ChainClient
from clearing.chain.errors import ChainError
from tongdui.encoding import hex_of, keccak256, text_word, word
from tongdui.orders import (
    AgreementTerms,
    Domain,
    Instruction,
    Order,
    SignedOrder,
    address_of_key,
    execute_calldata,
    full_signature,
    sign_digest,
)

PROGRAMS = 4
BATCH_GAS = 16_000_000
FAR_FUTURE = 2**33
_DEPLOY_GAS = 16_000_000
_ACCOUNTS = (b"bench operator", b"bench sequencer", b"bench owner")
_OWNER = 2
"""Each role has an account of its own, as the auditor's kit wants it; those of the roles have their numbers."""

_TERMS = AgreementTerms(
    kind=1,
    initiators=3,
    fee_bps=10,
    lifetime_days=365,
    source_merchant=0,
    target_merchant=0,
    source_program=0,
    target_program=0,
    valid_from=0,
    valid_until=FAR_FUTURE,
    rate_num=9,
    rate_den=10,
    unit_price_micros=10_000,
    max_points=10**6,
    daily_cap=10**15,
    supersedes=0,
    grace_seconds=0,
    accept_by=0,
    keep_expiry=False,
    document=bytes(32),
)


class BareChain:
    """Four merchants (or more) with a program each, and an exchange agreement for every pair of programs, at 9/10."""

    def __init__(self, rpc_url: str, programs: int = PROGRAMS) -> None:
        self.client = ChainClient(rpc_url)
        self._accounts: list[LocalAccount] = [Account.from_key(keccak256(who)) for who in _ACCOUNTS]
        self.keys = [keccak256(f"bench merchant {i}".encode()) for i in range(1, programs + 1)]
        self._transaction_nonces = [self.client.next_nonce(account.address) for account in self._accounts]
        self.next_nonces = dict.fromkeys(range(1, programs + 1), 0)
        self.address = self._deploy()
        self.domain = Domain(self.client.chain_id(), self.address)
        self.agreements: dict[tuple[int, int], int] = {}
        self._agreed = 0
        self._onboard()

    def close(self) -> None:
        """Closes the connection."""
        self.client.close()

    # ---------------------------------------------------------------- setup

    def _deploy(self) -> str:
        code = contract.deployment_code(self._accounts[_OWNER].address, text_word("Bench"), 28_800)
        receipt = self.wait(self.send(self.signed(code, by=_OWNER, to=None)))
        return to_checksum_address(receipt["contractAddress"])

    def _onboard(self) -> None:
        for role in (contract.OPERATOR, contract.SEQUENCER):
            self.do("setRole", role, self._accounts[role].address, True, by=_OWNER)
        for number, key in enumerate(self.keys, start=1):
            name = hex_of(text_word(f"M{number}"))
            self.do("registerMerchant", number, name, address_of_key(key), 10**18)
            self.do("registerProgram", number, number, name, name)
        for source, target in permutations(self.next_nonces, 2):
            self.agreements[source, target] = self.agree(source, target)

    def agree(self, source: int, target: int, **changes: int) -> int:
        """Registers an agreement between two merchants with the usual terms, except for `changes`; returns its number."""
        self._agreed += 1
        number = self._agreed
        sides: dict[str, Any] = {
            "source_merchant": source,
            "target_merchant": target,
            "source_program": source,
            "target_program": target,
        }
        terms = replace(_TERMS, **sides | changes)
        digest = terms.digest(self.domain)
        signatures = [full_signature(sign_digest(digest, self.keys[side - 1])) for side in (source, target)]
        wire = [_json(getattr(terms, field.name)) for field in fields(terms)]
        self.do("registerAgreement", number, wire, *(hex_of(signature) for signature in signatures))
        return number

    # ---------------------------------------------------------------- transactions

    def do(self, function: str, *arguments: Any, by: int = contract.OPERATOR) -> dict[str, Any]:
        """Makes a privileged call; returns its receipt."""
        return self.wait(self.send(self.signed(contract.encode_call(function, list(arguments)), by=by)))

    def signed(
        self, data: bytes, *, by: int = contract.SEQUENCER, to: str | None = "", gas: int = _DEPLOY_GAS
    ) -> bytes:
        """Signs a transaction with the next nonce of an account."""
        transaction: dict[str, Any] = {
            "chainId": 31_337,
            "nonce": self._transaction_nonces[by],
            "gas": gas,
            "gasPrice": 0,
            "value": 0,
            "data": data,
        }
        if to is not None:
            transaction["to"] = to or self.address
        self._transaction_nonces[by] += 1
        return bytes(self._accounts[by].sign_transaction(transaction).raw_transaction)

    def send(self, raw: bytes) -> str:
        """Sends a signed transaction; returns its hash."""
        (error,) = self.client.send_raw([raw])
        if error is not None:
            raise error
        return hex_of(keccak256(raw))

    def wait(self, tx_hash: str) -> dict[str, Any]:
        """Waits for the receipt of a transaction, which must succeed."""
        while True:
            receipt: dict[str, Any] | None = self.client.call("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                break
            time.sleep(0.001)
        if receipt["status"] != "0x1":
            raise ChainError("bench", 0, f"{tx_hash} reverted")
        return receipt

    # ---------------------------------------------------------------- orders

    def order(
        self, merchant: int, instructions: Sequence[Instruction], *, atomic: bool = False, nonces: int = 1
    ) -> SignedOrder:
        """Signs an order with the merchant's next nonce; the next one after it is so many `nonces` further."""
        nonce = self.next_nonces[merchant]
        self.next_nonces[merchant] = nonce + nonces
        order = Order(merchant, nonce, FAR_FUTURE, tuple(instructions), atomic)
        return SignedOrder(order, sign_digest(order.digest(self.domain), self.keys[merchant - 1]))

    def batch(self, orders: Sequence[SignedOrder]) -> bytes:
        """Makes a signed transaction of a batch."""
        return self.signed(execute_calldata(orders), gas=BATCH_GAS)

    def execute(self, orders: Sequence[SignedOrder]) -> Executed:
        """Executes a batch in which every instruction must be accepted."""
        receipt = self.wait(self.send(self.batch(orders)))
        entries = len(receipt["logs"]) - 1
        wanted = sum(len(signed.order.instructions) for signed in orders)
        if entries != wanted or int(receipt["logs"][-1]["data"][:66], 16) != wanted:
            raise ChainError("bench", 0, f"{wanted} instructions gave {entries} entries")
        return Executed(int(receipt["gasUsed"], 16), entries)


@dataclass(frozen=True, slots=True)
class Executed:
    """An executed batch: all of its gas, calldata included, and its number of entries."""

    gas: int
    entries: int

    @property
    def gas_per_entry(self) -> int:
        """Gas for each entry, rounded up."""
        return -(-self.gas // self.entries)


def member(number: int) -> str:
    """Returns the address of the n-th member."""
    return "0x" + keccak256(word(number))[12:].hex()


def reference(number: int) -> bytes:
    """Returns a hash without the zero bytes that would make calldata cheap."""
    return keccak256(word(10**9 + number))


def _json(value: Any) -> Any:
    return hex_of(value) if isinstance(value, bytes) else value
