"""Audits the network with a node's JSON-RPC and receipts alone: no database, no gateway, no code of the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tongdui import Receipt
from tongdui.encoding import address_word, bytes_of, hex_of, keccak256, word
from tongdui.orders import Kind
from tongdui.receipts import Entry, chain_head, merkle_root

MERCHANT_REGISTERED = "MerchantRegistered(uint32,uint96,bytes32)"
AGREEMENT_REGISTERED = (
    "AgreementRegistered(uint32,bytes32,(uint8,uint8,uint16,uint16,uint32,uint32,uint32,uint32,uint40,uint40,"
    "uint32,uint32,uint64,uint64,uint64,uint32,uint32,uint40,bool,bytes32),bytes,bytes)"
)
DEPOSITED = "Deposited(uint32,uint96,bytes32)"
WITHDRAWN = "Withdrawn(uint32,uint96,bytes32)"
BATCH_CLOSED = "BatchClosed(uint40,uint16,bytes32,bytes32)"

OPERATOR_MERCHANT = 0
_TARGET_PROGRAM, _SOURCE_MERCHANT, _TARGET_MERCHANT = 7, 4, 5
"""Their places among the words of an agreement's terms."""


@dataclass(frozen=True, slots=True)
class Log:
    """A chain event: its indexed arguments, its data, and its place on the chain."""

    topics: tuple[bytes, ...]
    data: bytes
    tx_hash: str
    block_number: int


class Node:
    """A chain node and one contract on it. Only reads, many in one round trip."""

    def __init__(self, rpc_url: str, contract: str) -> None:
        self._http = httpx.Client(base_url=rpc_url, timeout=30, transport=httpx.HTTPTransport(verify=False))
        self.contract = contract

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def view(self, signature: str, arguments: bytes = b"") -> bytes:
        """Returns the result of a view of the contract."""
        return self.views(signature, [arguments])[0]

    def views(self, signature: str, arguments: Sequence[bytes]) -> list[bytes]:
        """Returns a view's result for each of the arguments."""
        selector = keccak256(signature.encode())[:4]
        calls = [{"to": self.contract, "data": hex_of(selector + given)} for given in arguments]
        return [bytes_of(found) for found in self._ask("eth_call", [[call, "latest"] for call in calls])]

    def numbers(self, signature: str, arguments: Sequence[bytes]) -> list[int]:
        """Returns the first word of each result as a number."""
        return [number(found) for found in self.views(signature, arguments)]

    def logs(self, event: str) -> list[Log]:
        """Returns all logs of an event, oldest first."""
        topic = hex_of(keccak256(event.encode()))
        wanted = {"address": self.contract, "fromBlock": "0x0", "toBlock": "latest", "topics": [topic]}
        return [
            Log(
                topics=tuple(bytes_of(topic) for topic in log["topics"][1:]),
                data=bytes_of(log["data"]),
                tx_hash=log["transactionHash"],
                block_number=int(log["blockNumber"], 16),
            )
            for log in self._ask("eth_getLogs", [[wanted]])[0]
        ]

    def gas_used(self, transactions: Iterable[str]) -> dict[str, int]:
        """Returns the gas that each transaction used, from its receipt on the chain."""
        hashes = list(dict.fromkeys(transactions))
        found = self._ask("eth_getTransactionReceipt", [[tx_hash] for tx_hash in hashes])
        return {tx_hash: int(receipt["gasUsed"], 16) for tx_hash, receipt in zip(hashes, found, strict=True)}

    def _ask(self, method: str, params: Sequence[list[Any]]) -> list[Any]:
        results: list[Any] = []
        for start in range(0, len(params), 200):
            some = params[start : start + 200]
            body = [{"jsonrpc": "2.0", "id": i, "method": method, "params": p} for i, p in enumerate(some)]
            answers = {answer["id"]: answer for answer in self._http.post("", json=body).raise_for_status().json()}
            results += [answers[i]["result"] for i in range(len(body))]
        return results


def number(raw: bytes, at: int = 0, *, signed: bool = False) -> int:
    """Reads one word of ABI-encoded data as a number."""
    return int.from_bytes(raw[32 * at : 32 * at + 32], "big", signed=signed)


@dataclass(slots=True)
class Totals:
    """Points and money, added up from entries and bank movements alone."""

    balances: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    """Points by (member's address, program number)."""
    supplies: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    positions: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Micros by merchant number."""

    def move(self, member: str, program: int, points: int) -> None:
        """Adds points to a member's balance; negative points leave it."""
        self.balances[member.lower(), program] += points
        self.supplies[program] += points

    def pay(self, payer: int, payee: int, micros: int) -> None:
        """Moves money from one merchant's position to another's."""
        self.positions[payer] -= micros
        self.positions[payee] += micros

    def post(self, entry: Entry, terms: dict[int, bytes], originals: Mapping[bytes, Entry]) -> None:
        """Adds one entry, given the terms of all agreements and the entries that reversals undo, by leaf."""
        match Kind(entry.kind):
            case Kind.ISSUE:
                self.move(entry.member, entry.program, entry.points)
            case Kind.REDEEM | Kind.EXPIRE:
                self.move(entry.member, entry.program, -entry.points)
            case Kind.TRANSFER:
                self.move(entry.member, entry.program, -entry.points)
                self.move(hex_of(entry.link[12:]), entry.program, entry.points)
            case Kind.EXCHANGE | Kind.SPEND:
                source, target = self._convert(entry, terms[entry.agreement], 1)
                self.pay(source, target, entry.settled)
                self.pay(source, OPERATOR_MERCHANT, entry.fee)
            case Kind.REVERSE:
                self._reverse(entry, originals[entry.link], terms)

    def _reverse(self, entry: Entry, original: Entry, terms: dict[int, bytes]) -> None:
        match Kind(original.kind):
            case Kind.ISSUE:
                self.move(entry.member, entry.program, -entry.points)
            case Kind.TRANSFER:
                self.move(hex_of(original.link[12:]), entry.program, -entry.points)
                self.move(entry.member, entry.program, entry.points)
            case Kind.EXCHANGE | Kind.SPEND:
                source, target = self._convert(entry, terms[entry.agreement], -1)
                self.pay(target, source, entry.settled + entry.fee)  # the operator keeps its fee; the target bears it
            case _:
                self.move(entry.member, entry.program, entry.points)

    def _convert(self, entry: Entry, agreement: bytes, sign: int) -> tuple[int, int]:
        """Moves a conversion's points, forwards or back. Returns the source merchant and the target merchant."""
        self.move(entry.member, entry.program, -sign * entry.points)
        if entry.out:
            self.move(entry.member, number(agreement, _TARGET_PROGRAM), sign * entry.out)
        return number(agreement, _SOURCE_MERCHANT), number(agreement, _TARGET_MERCHANT)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what the receipts say, and what other sources say about the same thing."""

    subject: str
    expected: int | str
    found: dict[str, int | str]
    """By source."""

    @property
    def is_good(self) -> bool:
        """Whether all sources agree."""
        return all(value == self.expected for value in self.found.values())


@dataclass(slots=True)
class Audit:
    """Totals from receipts, compared with the contract."""

    node: Node
    entries: Sequence[Entry]
    totals: Totals = field(default_factory=Totals)
    funds: int = 0

    @classmethod
    def of(cls, node: Node, receipts: Iterable[Receipt]) -> Audit:
        """Reads bank movements and agreement terms from the chain, and adds up every receipt."""
        audit = cls(node, sorted((r.entry.wire() for r in receipts), key=lambda e: (e.batch, e.index)))
        for event, sign in ((DEPOSITED, 1), (WITHDRAWN, -1)):
            for log in node.logs(event):
                audit.totals.positions[number(log.topics[0])] += sign * number(log.data)
                audit.funds += sign * number(log.data)
        count = number(node.view("agreementCount()"))
        found = node.views("agreementOf(uint32)", [word(i) for i in range(1, count + 1)])
        terms = dict(enumerate(found, start=1))
        originals = {entry.leaf(): entry for entry in audit.entries}
        for entry in audit.entries:
            audit.totals.post(entry, terms, originals)
        return audit

    def journal(self) -> Iterator[Check]:
        """Checks that no receipt is missing: they fill every batch and give its root, and the roots give the head."""
        leaves: dict[int, list[bytes]] = defaultdict(list)
        for entry in self.entries:
            leaves[entry.batch].append(entry.leaf())
        closed = self.node.logs(BATCH_CLOSED)
        head, complete = bytes(32), 0
        for log in closed:
            batch, entries = number(log.topics[0]), number(log.data)
            root = merkle_root(leaves[batch])
            complete += len(leaves[batch]) == entries and root == log.data[32:64]
            head = chain_head(head, batch, len(leaves[batch]), root)
        yield Check("batches whose root the receipts give", len(closed), {"receipts": complete})
        yield Check("batches", len(closed), {"contract": number(self.node.view("batchCount()"))})
        yield Check("journal head", hex_of(head), {"contract": hex_of(self.node.view("head()"))})

    def supplies(self) -> Iterator[tuple[int, Check]]:
        """Checks each program's points: the receipts against the contract's total and its members' balances."""
        members = sorted({member for member, _ in self.totals.balances})
        for program in range(1, number(self.node.view("programCount()")) + 1):
            (total,) = self.node.numbers("totalSupply(uint32)", [word(program)])
            arguments = [address_word(member) + word(program) for member in members]
            balances = self.node.numbers("balanceOf(address,uint32)", arguments)
            wrong = sum(
                balance != self.totals.balances[member, program]
                for member, balance in zip(members, balances, strict=True)
            )
            found: dict[str, int | str] = {"contract": total, "sum of balances": sum(balances)}
            if wrong:
                found["balances"] = f"{wrong} differ"
            yield program, Check("supply", self.totals.supplies[program], found)

    def positions(self) -> Iterator[tuple[int, Check]]:
        """Checks each merchant's position: receipts and bank movements against the contract."""
        count = number(self.node.view("merchantCount()"))
        numbers = range(count)
        accounts = self.node.views("merchantOf(uint32)", [word(merchant) for merchant in numbers])
        for merchant, account in zip(numbers, accounts, strict=True):
            position = number(account, 1, signed=True)
            yield merchant, Check("position", self.totals.positions[merchant], {"contract": position})

    def money(self) -> Check:
        """Checks that all positions together are the money in the bank."""
        funds = number(self.node.view("settlementFunds()"), signed=True)
        found = {"settlementFunds": funds, "deposits - withdrawals": self.funds}
        return Check("sum of positions", sum(self.totals.positions.values()), dict(found))
