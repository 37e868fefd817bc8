"""A node for a generated network, as far as a reconciliation of its last batches asks one: it says what the database says.

No chain has those entries. So it says nothing about the network's health, and its own time is none of the network's.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eth_abi.abi import encode
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient, Log
from clearing.chain.contract import BATCH_CLOSED, ENTRY_POSTED, INSTRUCTION_REJECTED, LINKED_ENTRY_POSTED
from clearing.kit.database import Database
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Batch, Block, Entry, Rejection
from clearing.ledger.settlement.models import Position
from clearing.oversight.reconciliation.chain_state import TOTALS, AgreementSides, ChainState
from clearing.oversight.reconciliation.models import Reconciliation, Scope
from clearing.oversight.reconciliation.repository import Snapshot
from clearing.parties.agreements.models import Agreement
from clearing.parties.programs.models import Program
from scripts.bench.generated import SUBMITTED, WAITING, Size
from tongdui import receipts
from tongdui.encoding import ZERO_WORD, address_word, bytes_of, hex_of, keccak256, word
from tongdui.orders import Reason
from tongdui.receipts import chain_head, merkle_root

T = TypeVar("T")


class GeneratedNode(ChainClient):
    """Answers with what the database of a generated network says after its newest block."""

    def __init__(self, database: Database, batches: int) -> None:
        """It has the events of so many of the last batches, whose roots it sets right first."""
        super().__init__("http://127.0.0.1:9")
        self._own = Database(database.url)  # so that its statements are not counted as the network's
        self.seconds = 0.0
        """What it took to answer."""
        with self._own.session.begin() as session:
            last = select(Block.number, Block.day).order_by(Block.number.desc()).limit(1)
            newest, self._day = session.execute(last).one()
            self.first = newest - batches
            """The block after which the batches begin that it has events of."""
            hashes = session.execute(select(Block.number, Block.hash).where(Block.number >= self.first))
            self._hashes = {number: found for number, found in hashes}  # noqa: C416 (rows are no pairs)
            closed = _close_again(session, self.first)
            self._logs = _logs(session, closed)
            positions = session.execute(select(Position.merchant_number, Position.position, Position.credit_limit))
            self._positions = {number: (position, limit) for number, position, limit in positions}
            self._batch, self._head = closed[-1].number, closed[-1].head
            self._roots = {batch.number: batch.root for batch in closed}
            begin = _state_before(session, self.first)
        self._end = ChainState.from_json(json.loads(json.dumps(begin.as_json())))  # with numbers of its own
        self._end.apply_page([log for logs in self._logs.values() for log in logs], lambda _: {})
        for number, (position, limit) in self._positions.items():
            begin.positions[number] = position - self._end.positions[number]
            begin.limits[number] = limit
        with self._own.reading() as session:
            totals = Snapshot(session).program_totals()
        for number, before in begin.totals.items():
            end = [totals.get(number, {}).get(name, 0) for name in TOTALS]
            before[:] = [now - change for now, change in zip(end, self._end.totals[number], strict=True)]
            self._end.totals[number] = end
        begin.funds = sum(position for position, _ in self._positions.values())
        begin.block_hash = hex_of(self._hashes[self.first])
        self.begin = begin
        """The state after that block."""

    def close(self) -> None:
        """Closes its connections."""
        super().close()
        self._own.close()

    def call(self, method: str, *params: Any) -> Any:
        """Answers one request."""
        return self._timed(lambda: self._answer(method, params))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Answers many calls of one view."""
        data = [bytes_of(params[0]["data"]) for _, params in calls]
        return self._timed(lambda: [hex_of(result) for result in self._view(data[0][:4], [each[4:] for each in data])])

    def _timed(self, answer: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            return answer()
        finally:
            self.seconds += time.perf_counter() - began

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getBlockByNumber":
            return {"hash": hex_of(self._hashes[int(params[0], 16)])}
        assert method == "eth_getLogs", method
        wanted = range(int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16) + 1)
        return [_as_json(log) for number in wanted for log in self._logs.get(number, ())]

    def _view(self, selector: bytes, arguments: Sequence[bytes]) -> list[bytes]:
        if selector == _BALANCE:
            return self._balances(arguments)
        return [_VIEWS[selector](self, argument) for argument in arguments]

    def _balances(self, arguments: Sequence[bytes]) -> list[bytes]:
        keys = [(hex_of(argument[12:32]), int.from_bytes(argument[32:], "big")) for argument in arguments]
        account = (Account.address, Account.program)
        with self._own.reading() as session:
            rows = session.execute(select(*account, Account.posted).where(tuple_(*account).in_(keys)))
            posted = {(address, program): points for address, program, points in rows}
        return [word(posted.get(key, 0)) for key in keys]

    def _merchant(self, argument: bytes) -> bytes:
        position, limit = self._positions.get(int.from_bytes(argument, "big"), (0, 0))
        return word(1) + position.to_bytes(32, "big", signed=True) + word(limit)

    def _funds(self, _argument: bytes) -> bytes:
        return self.begin.funds.to_bytes(32, "big", signed=True)

    def _supply(self, argument: bytes) -> bytes:
        return word(self._end.supply(int.from_bytes(argument, "big")))

    def _totals(self, argument: bytes) -> bytes:
        return b"".join(map(word, self._end.totals[int.from_bytes(argument, "big")]))

    def _root(self, argument: bytes) -> bytes:
        return self._roots[int.from_bytes(argument, "big")]

    def _newest_head(self, _argument: bytes) -> bytes:
        return self._head

    def _batches(self, _argument: bytes) -> bytes:
        return word(self._batch)

    def _nonce(self, _argument: bytes) -> bytes:
        return word(1)

    def _today(self, _argument: bytes) -> bytes:
        return word(self._day)

    def _issuance_cap(self, _argument: bytes) -> bytes:
        """No generated program has one."""
        return bytes(4 * 32)


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]


_BALANCE = _selector("balanceOf(address,uint32)")
_VIEWS: dict[bytes, Callable[[GeneratedNode, bytes], bytes]] = {
    _selector("merchantOf(uint32)"): GeneratedNode._merchant,
    _selector("settlementFunds()"): GeneratedNode._funds,
    _selector("totalSupply(uint32)"): GeneratedNode._supply,
    _selector("totalsOf(uint32)"): GeneratedNode._totals,
    _selector("rootOf(uint40)"): GeneratedNode._root,
    _selector("head()"): GeneratedNode._newest_head,
    _selector("batchCount()"): GeneratedNode._batches,
    _selector("nonceUsed(uint32,uint48)"): GeneratedNode._nonce,
    _selector("today()"): GeneratedNode._today,
    _selector("issuanceCapOf(uint32)"): GeneratedNode._issuance_cap,
}


def clean_report(node: GeneratedNode, contract: str, size: Size) -> Reconciliation:
    """What a reconciliation before the last batches would have stored."""
    return Reconciliation(
        scope=Scope.FULL,
        block=node.first,
        block_hash=bytes_of(node.begin.block_hash),
        contract=contract,
        drifts=0,
        report={},
        chain_state=node.begin.as_json(),
        oldest_open_order=size.last_order - WAITING - SUBMITTED,
    )


def _state_before(session: Session, block: int) -> ChainState:
    """What events up to this block would have left. Positions, limits and totals are for the caller to set right."""
    state = ChainState(block=block, batches=block)
    state.head = session.scalars(select(Batch.head).where(Batch.number == block)).one()
    state.positions = dict.fromkeys(session.scalars(select(Position.merchant_number)), 0)
    state.positions.setdefault(0, 0)
    state.totals = {number: [0] * len(TOTALS) for number in session.scalars(select(Program.number))}
    columns = (Agreement.number, Agreement.source_merchant, Agreement.target_merchant, Agreement.target_program)
    rows = session.execute(select(*columns))
    state.agreements = {number: AgreementSides(*sides) for number, *sides in rows if number is not None}
    return state


def _close_again(session: Session, after: int) -> list[Batch]:
    """Gives the batches after this one the roots and heads that their entries have: generated ones are random."""
    head = session.scalars(select(Batch.head).where(Batch.number == after)).one()
    batches = list(session.scalars(select(Batch).where(Batch.number > after).order_by(Batch.number)))
    for batch in batches:
        leaves = [entry.wire().leaf() for entry in _entries(session, batch.number)]
        batch.entries, batch.root = len(leaves), merkle_root(leaves)
        batch.head = head = chain_head(head, batch.number, len(leaves), batch.root)
    session.flush()
    return batches


def _entries(session: Session, batch: int) -> list[Entry]:
    """The entries of a batch, without the gaps that generated refusals leave."""
    found = list(session.scalars(select(Entry).where(Entry.batch == batch).order_by(Entry.index)))
    for place, entry in enumerate(found):
        entry.index = place
    session.flush()
    return found


def _logs(session: Session, batches: Sequence[Batch]) -> dict[int, list[Log]]:
    """The events of these batches, by block."""
    found: dict[int, list[Log]] = defaultdict(list)
    for batch in batches:
        logs = found[batch.block_number]
        for entry in _entries(session, batch.number):
            logs.append(_entry_log(entry.wire(), len(logs), batch.tx_hash))
        refused = select(Rejection).where(Rejection.block_number == batch.block_number)
        for one in session.scalars(refused):
            topics = (INSTRUCTION_REJECTED, word(one.merchant), word(one.nonce))
            data = encode(["uint16", "uint8"], [max(one.item, 0), Reason.PROGRAM_PAUSED])
            logs.append(Log(topics=topics, data=data, index=len(logs), tx_hash=batch.tx_hash))
        data = encode(["uint16", "bytes32", "bytes32"], [batch.entries, batch.root, batch.head])
        logs.append(Log(topics=(BATCH_CLOSED, word(batch.number)), data=data, index=len(logs), tx_hash=batch.tx_hash))
    return found


def _entry_log(entry: receipts.Entry, index: int, tx_hash: bytes) -> Log:
    data = entry.abi_encoding()[32:128]
    member = address_word(entry.member)
    topics = (ENTRY_POSTED, member) if entry.link == ZERO_WORD else (LINKED_ENTRY_POSTED, member, entry.link)
    return Log(topics=topics, data=data, index=index, tx_hash=tx_hash)


def _as_json(log: Log) -> dict[str, Any]:
    return {
        "topics": [hex_of(topic) for topic in log.topics],
        "data": hex_of(log.data),
        "logIndex": hex(log.index),
        "transactionHash": hex_of(log.tx_hash),
    }
