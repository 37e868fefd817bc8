"""Receipts: an entry with its Merkle proof, checked against the chain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from . import receipts
from ._chain import Node
from ._errors import VerificationError
from ._flow import AsyncDriver, Driver, Flow, tls
from ._models import EntryFields, Movement, expectations_of
from ._verification import require_same
from .encoding import ZERO_WORD, bytes_of, hex_of, keccak256, word
from .orders import Kind

_BATCH_CLOSED = hex_of(keccak256(b"BatchClosed(uint40,uint16,bytes32,bytes32)"))


_DECIMAL = re.compile("0|[1-9][0-9]{0,19}")


def _integer(value: Any) -> Any:
    """An integer, also from the text that the gateway writes for clients whose numbers are doubles."""
    return int(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _kind(value: Any) -> Any:
    """A kind's number, also for its name."""
    if isinstance(value, str) and value.upper() in Kind.__members__:
        return int(Kind[value.upper()])
    return _integer(value)


def _uint(bits: int) -> Any:
    return Field(ge=0, lt=2**bits, strict=True)


Integer = Annotated[int, BeforeValidator(_integer)]
Word = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


class ReceiptEntry(BaseModel):
    """The fields of an entry that the chain hashed. Money is in micros; `ref` and `link` are 32 bytes of hex."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    batch: Annotated[Integer, _uint(40)]
    index: Annotated[Integer, _uint(16)]
    merchant: Annotated[Integer, _uint(32)]
    nonce: Annotated[Integer, _uint(48)]
    item: Annotated[Integer, _uint(16)]
    kind: Annotated[int, BeforeValidator(_kind), Field(ge=1, lt=256, strict=True)]
    expiry_day: Annotated[Integer, _uint(32)]
    program: Annotated[Integer, _uint(32)]
    agreement: Annotated[Integer, _uint(32)]
    member: Address
    points: Annotated[Integer, _uint(64)]
    out: Annotated[Integer, _uint(64)]
    settled: Annotated[Integer, _uint(64)]
    fee: Annotated[Integer, _uint(64)]
    ref: Word
    link: Word

    def wire(self) -> receipts.Entry:
        """The entry in the form that is hashed."""
        members = self.model_dump()
        members["ref"], members["link"] = bytes_of(self.ref), bytes_of(self.link)
        return receipts.Entry(**members)


class ReceiptNames(BaseModel):
    """What the gateway calls the numbers in a receipt's entry. Nothing proves it: `verify` checks the numbers alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant: str
    merchant_name: str
    program: str
    target_program: str | None = None
    agreement: str | None = None


class Receipt(BaseModel):
    """Proof that a movement happened. You need not trust whoever gives it to you: `verify` asks the chain."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    entry: ReceiptEntry
    leaf: Word
    proof: tuple[Word, ...]
    root: Word
    batch: Annotated[Integer, _uint(40)]
    tx_hash: Word
    block_number: Annotated[Integer, _uint(64)]
    chain_id: Annotated[Integer, _uint(64)]
    contract: Address
    names: ReceiptNames | None = None
    """For people. What is proven are the numbers in `entry`."""

    def summary(self) -> str:
        """Say in one line what the entry did, with the names that the gateway has for its numbers (which nothing proves)."""
        entry, names = self.entry, self.names
        program = names.program if names else f"program {entry.program}"
        merchant = names.merchant_name if names else f"merchant {entry.merchant}"
        moved = f"{Kind(entry.kind).label} {entry.points} {program}"
        if entry.out:
            moved += f" for {entry.out} {names.target_program if names and names.target_program else 'points'}"
        return f"{moved}, signed by {merchant}, batch {entry.batch} of chain {self.chain_id}"

    # ---------------------------------------------------------------- files

    def save(self, path: str | Path) -> Path:
        """Write the receipt as JSON to `path`, for `load` or `tongdui verify`. Returns the path."""
        path = Path(path)
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved receipt.

        Args:
            path: A file that `save` wrote.

        Returns:
            The receipt. Nothing is checked yet.

        Raises:
            VerificationError: The file is not a receipt (`format`).
            OSError: The file cannot be read.
        """
        raw = Path(path).read_bytes()
        try:
            return cls.model_validate_json(raw)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "file"
            raise VerificationError("format", f"{path} is not a receipt: {where}: {first['msg']}") from error

    # ---------------------------------------------------------------- checking

    def check_movement(self, movement: Movement) -> None:
        """Compare the entry with a settled movement, and with the order of this client that the movement comes from.

        This does not show that the entry is on the chain; `verify` does.

        Args:
            movement: A settled movement.

        Raises:
            VerificationError: They differ. `check` is `entry.` and the name of the field.
            RejectedError: The movement did not take effect.
            PendingError: The movement is not final yet.
        """
        shown = movement.settled()
        for expected in expectations_of(movement):
            asked = dict(expected)
            if self.entry.kind == Kind.EXCHANGE:  # what buys no whole target point stays with the member
                asked["points"] = min(int(asked["points"]), self.entry.points)
            self._compare("the entry is not what was asked for", asked)
        amounts: EntryFields = {
            "points": shown.points,
            "out": shown.out,
            "settled": shown.settled_micros,
            "fee": shown.fee_micros,
        }
        self._compare("the entry is not what the movement shows", amounts)

    def _compare(self, message: str, expected: EntryFields) -> None:
        for name, value in expected.items():
            require_same(f"entry.{name}", message, value, getattr(self.entry, name))

    def check_proof(self) -> None:
        """Recompute the leaf and the root from the entry and the proof.

        This only shows that the receipt agrees with itself. Its root proves nothing until `verify` finds it on the
        chain.

        Raises:
            VerificationError: The receipt contradicts itself (`batch`, `leaf` or `proof`).
        """
        require_same("batch", "the entry belongs to another batch", self.batch, self.entry.batch)
        leaf = self.entry.wire().leaf()
        require_same("leaf", "the entry does not hash to the leaf: its contents were changed", hex_of(leaf), self.leaf)
        root = receipts.root_of_proof(leaf, [bytes_of(sibling) for sibling in self.proof])
        require_same("proof", "the proof does not lead from the leaf to the root", self.root, hex_of(root))

    def check_chain(self, node: Node | None) -> Flow[None]:
        """Check that the receipt agrees with itself and, if there is a node, that the chain has its root.

        Args:
            node: A node of the chain.

        Raises:
            VerificationError: The receipt proves nothing (`batch`, `leaf`, `proof` or `root`).
        """
        self.check_proof()
        if node is not None:
            yield from self._check_root(node)

    def verify(
        self,
        *,
        rpc_url: str,
        contract: str,
        chain_id: int | None = None,
        timeout: float = 15.0,
        transport: httpx.BaseTransport | None = None,
        on_check: Callable[[str, str], None] | None = None,
    ) -> Self:
        """Check the receipt against the chain.

        Args:
            rpc_url: JSON-RPC endpoint of a chain node; or of several, separated by commas, the preferred one first.
            contract: Address of the clearing house, from a source that you trust. Anyone can deploy a contract of
                their own and prove anything with it.
            chain_id: The chain's id, from a source that you trust.
            timeout: Seconds for each request to the node.
            transport: An httpx transport of your own.
            on_check: Called with the name and the details of each check that passed.

        Returns:
            The receipt itself.

        Raises:
            VerificationError: The receipt proves nothing. `check` is `batch`, `leaf` or `proof` (it contradicts
                itself), `contract` (it is for another contract), `chain_id`, `code` (there is no contract), `root` (the
                chain has another root for this batch, or none), or `transaction` (it did not close the batch).
            APIConnectionError: The node does not answer.
        """
        with httpx.Client(transport=transport, timeout=timeout, verify=tls()) as http:
            return Driver(http).run(self._verification(rpc_url, contract, chain_id, timeout, on_check))

    async def averify(
        self,
        *,
        rpc_url: str,
        contract: str,
        chain_id: int | None = None,
        timeout: float = 15.0,  # noqa: ASYNC109 - for each request, as everywhere in this SDK
        transport: httpx.AsyncBaseTransport | None = None,
        on_check: Callable[[str, str], None] | None = None,
    ) -> Self:
        """Check the receipt as `verify` does, without blocking."""
        async with httpx.AsyncClient(transport=transport, timeout=timeout, verify=tls()) as http:
            return await AsyncDriver(http).run(self._verification(rpc_url, contract, chain_id, timeout, on_check))

    def _verification(
        self,
        rpc_url: str,
        contract: str,
        chain_id: int | None,
        timeout: float,
        on_check: Callable[[str, str], None] | None,
    ) -> Flow[Self]:
        passed = on_check or (lambda _name, _detail: None)
        node = Node(rpc_url, contract, timeout)
        self.check_proof()
        passed("proof", f"entry, leaf {self.leaf[:10]}… and {len(self.proof)} siblings lead to the root")
        require_same("contract", "the receipt is for another contract", contract, self.contract)
        passed("contract", f"the receipt is for {contract}")
        found = yield from node.chain_id()
        require_same("chain_id", "the receipt is for a chain other than the node's", found, self.chain_id)
        if chain_id is not None:
            require_same("chain_id", "the node is on another chain", chain_id, found)
        passed("chain_id", f"the node is on chain {found}")
        if not (yield from node.has_code()):
            raise VerificationError("code", f"there is no contract at {contract} on chain {found}")
        yield from self._check_root(node)
        passed("root", f"the chain recorded the same root for batch {self.batch}")
        yield from self._check_transaction(node)
        passed("transaction", f"{self.tx_hash[:10]}… closed the batch in block {self.block_number}")
        return self

    def _check_root(self, node: Node) -> Flow[None]:
        root = yield from node.root_of(self.batch)
        if root == ZERO_WORD:
            raise VerificationError("root", f"the chain has no entries in batch {self.batch}")
        require_same("root", f"the chain recorded another root for batch {self.batch}", hex_of(root), self.root)

    def _check_transaction(self, node: Node) -> Flow[None]:
        """Compare the transaction and its block with the batch's own event, because the proof does not cover them."""
        found = yield from node.transaction(self.tx_hash)
        if found is None:
            raise VerificationError("transaction", f"the node does not know transaction {self.tx_hash}")
        closed = any(
            str(log.get("address", "")).lower() == node.contract.lower()
            and [topic.lower() for topic in log.get("topics", [])] == [_BATCH_CLOSED, hex_of(word(self.batch))]
            for log in found.get("logs", [])
        )
        if not closed:
            raise VerificationError("transaction", f"{self.tx_hash} did not close batch {self.batch}")
        block = int(str(found.get("blockNumber")), 16)
        require_same("transaction", "it is in another block", block, self.block_number)
