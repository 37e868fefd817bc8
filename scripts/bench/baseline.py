"""The usual way, as a baseline: one ERC-20 per program, one transaction per exchange, sent through web3.py."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, cast

from eth_account import Account
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.types import Nonce, TxReceipt

from scripts.bench.bare_chain import PROGRAMS, member, reference
from scripts.bench.measuring import report, timed
from tongdui.encoding import keccak256

ARTIFACTS = Path(__file__).parents[2] / ".build" / "artifacts"
_MEMBERS = 100


def bench_usual_way(rpc_url: str, exchanges: int) -> float:
    """Measures one transaction per exchange through web3.py, all of them sent before the first is awaited."""
    baseline = Baseline(rpc_url)
    rate = exchanges / timed(lambda: baseline.exchange_many(exchanges))
    report("usual_way", rate, "exchanges/s", exchanges=exchanges)
    return rate


class Baseline:
    """The baseline contract with four programs, funded merchants, and members who have points in each program."""

    def __init__(self, rpc_url: str) -> None:
        self._web3 = Web3(Web3.HTTPProvider(rpc_url))
        self._sender = Account.from_key(keccak256(b"baseline sender"))
        self._nonce = self._web3.eth.get_transaction_count(self._sender.address)
        self._baseline = self._deploy()
        self._merchants = [self._address(f"merchant {i}".encode()) for i in range(PROGRAMS)]
        for merchant in self._merchants:
            self._do(self._baseline.functions.fund(merchant, 10**18))
        for program in range(PROGRAMS):
            for number in range(_MEMBERS):
                self._send(self._baseline.functions.issue(program, self._member(number), 10**9))
        self._settle()

    def gas_of_one(self) -> int:
        """Returns the gas of an exchange between existing balances."""
        self._do(self._exchange(0))
        return self._do(self._exchange(0))["gasUsed"]

    def exchange_many(self, count: int) -> None:
        """Sends `count` exchanges, each in its own transaction, and waits until blocks contain all of them."""
        for number in range(count):
            self._send(self._exchange(number))
        self._settle()

    def _exchange(self, number: int) -> Any:
        source, target = number % PROGRAMS, (number + 1) % PROGRAMS
        payer, payee = self._merchants[source], self._merchants[target]
        who = self._member(number % _MEMBERS)
        return self._baseline.functions.exchange(source, target, who, 10, payer, payee, reference(number))

    def _deploy(self) -> Contract:
        compiled = json.loads((ARTIFACTS / "BaselineExchange.json").read_text())
        factory = self._web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        receipt = self._do(factory.constructor(PROGRAMS))
        return cast("Contract", self._web3.eth.contract(address=receipt["contractAddress"], abi=compiled["abi"]))

    def _send(self, call: Any) -> HexBytes:
        fields = {
            "from": self._sender.address,
            "nonce": self._nonce,
            "gas": 15_000_000,
            "gasPrice": 0,
            "chainId": 31_337,
        }
        transaction = call.build_transaction(fields)
        self._nonce = Nonce(self._nonce + 1)
        return self._web3.eth.send_raw_transaction(self._sender.sign_transaction(transaction).raw_transaction)

    def _do(self, call: Any) -> TxReceipt:
        receipt = self._web3.eth.wait_for_transaction_receipt(self._send(call), poll_latency=0.005)
        if receipt["status"] != 1:
            raise RuntimeError("a transaction of the baseline failed")
        return receipt

    def _settle(self) -> None:
        while self._web3.eth.get_transaction_count(self._sender.address) < self._nonce:
            time.sleep(0.002)

    def _address(self, seed: bytes) -> ChecksumAddress:
        return Web3.to_checksum_address(keccak256(seed)[12:])

    def _member(self, number: int) -> ChecksumAddress:
        return Web3.to_checksum_address(member(number))
