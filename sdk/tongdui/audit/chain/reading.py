"""Reads blocks from a node, in order: ahead of whoever takes them, and proven in worker processes.

A worker asks for a range of headers, then for the transactions and receipts of those blocks alone whose filter says that the
contract may have had an event in them. A year of blocks without one is read as fast as the node lists their headers.
"""

from __future__ import annotations

import copyreg
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from operator import attrgetter
from typing import Any

from ...orders import Domain, Instruction, Order, SignedOrder
from ...receipts import Entry
from ..findings import CannotCheck, Finding, Place
from .calls import SignedBy
from .headers import Header, header_of
from .node import Node, NodeRefused
from .proving import Block, BlockProver, Call

__all__ = ["Block", "Call", "ChainReader", "SignedBy"]

Json = dict[str, Any]

_FIRST_RANGE, _LONGEST_RANGE = 8, 1_024
"""Blocks that a worker reads at once: at first, and at most."""
_MOST_EVENTS = 2_000
"""Events of the contract after which a worker hands over what it has, so that what is read ahead stays small."""
_AT_ONCE = 4
"""Blocks of which a worker asks transactions and receipts at once, at first."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a worker read of a range: the blocks from its beginning, as many as it could take."""

    blocks: list[Block]
    events: int


class ChainReader:
    """Gives proven blocks in order."""

    def __init__(self, nodes: Sequence[Node], contract: str, workers: int = 2, chain_id: int | None = None) -> None:
        """Prepares to read.

        Args:
            nodes: The nodes of the audit. The first is read from; what the others say is compared in `node.find_differing`.
            contract: The contract's address.
            workers: Processes that ask, prove and decode. 0 for none: all is done by whoever takes the blocks.
            chain_id: The chain's id, if it is known. Otherwise the node is asked.
        """
        node = nodes[0]
        domain = Domain(node.chain_id() if chain_id is None else chain_id, contract.lower())
        self._node = node
        self._make_source = partial(_Source, node.url, node.timeout, domain.contract, domain.separator)
        # A process of a job runner may have no children of its own.
        self._workers = 0 if multiprocessing.current_process().daemon else workers

    def blocks(self, first: int, last: int, parent: str | None = None) -> Generator[Block, None, None]:
        """Blocks `first` to `last`. Close the iterator to end early: that ends the workers.

        Args:
            first: Number of the first block.
            last: Number of the last.
            parent: The hash of the block before the first, if it is known.

        Raises:
            CannotCheck: The node does not give the blocks, or changed them while they were read.
        """
        with closing(self._in_workers(first, last) if self._workers else self._here(first, last)) as reads:
            for read in reads:
                for block in read.blocks:
                    linked = _with_link(block, parent)
                    if linked.faults:
                        self.require_unchanged(linked)
                    yield linked
                    parent = block.hash

    def _here(self, first: int, last: int) -> Generator[_Read, None, None]:
        with closing(self._make_source()) as source:
            size = _FIRST_RANGE
            while first <= last:
                read = source.read(first, min(last, first + size - 1))
                yield read
                first += len(read.blocks)
                size = _next_size(size, read)

    def _in_workers(self, first: int, last: int) -> Generator[_Read, None, None]:
        # Started anew and not forked: the audit has open files and much in memory.
        context = multiprocessing.get_context("spawn")
        ended = context.Event()
        pool = ProcessPoolExecutor(self._workers, context, initializer=_begin, initargs=(self._make_source, ended))
        ranges = _Ranges(first, last, lambda *numbers: pool.submit(_read, *numbers), 2 * self._workers)
        others = set(multiprocessing.active_children())
        try:
            with _deaf():
                ranges.fill()
            yield from ranges
        except BrokenProcessPool as error:
            raise CannotCheck(
                "A process of the audit ended before its time, most likely because memory ran out. "
                "Run it again with fewer workers (--workers 1); with --state it goes on where it stopped."
            ) from error
        finally:
            ended.set()
            for process in set(multiprocessing.active_children()) - others:
                _interrupt(process)
            pool.shutdown(cancel_futures=True)

    def require_unchanged(self, block: Block) -> None:
        """Asks whether the chain has replaced a block since it was read: before it is said to be wrong, and of the last one, before
        anything is compared with it.

        Raises:
            CannotCheck: It has.
        """
        now = str(self._node.header(block.number).get("hash")).lower()
        if now != block.hash:
            raise CannotCheck(
                f"The node at {self._node.name} replaced block {block.number} while it was read: it was {block.hash} and is {now}. "
                "Run the audit again, and end some blocks before the newest with --to."
            )


def _with_link(block: Block, parent: str | None) -> Block:
    """The block, with a finding if it does not follow the one before it."""
    if parent is None or block.parent == parent:
        return block
    fault = Finding(
        "block.parent",
        f"parent of block {block.number}",
        f"{parent}, the hash of block {block.number - 1}",
        block.parent,
        Place(block=block.number),
    )
    return replace(block, faults=(*block.faults, fault))


def _next_size(size: int, read: _Read) -> int:
    """Blocks of the next range: fewer if there was much in this one, more if there was little."""
    if read.events >= _MOST_EVENTS:
        return max(1, min(size, len(read.blocks)))
    return min(_LONGEST_RANGE, 2 * size) if read.events < _MOST_EVENTS // 2 else size


class _Ranges:
    """Ranges of blocks that workers read, and what they found, in order. A bounded number of them is read ahead."""

    def __init__(self, first: int, last: int, submit: Callable[[int, int], Future[_Read]], ahead: int) -> None:
        self._next, self._last = first, last
        self._submit = submit
        self._ahead = ahead
        self._size = _FIRST_RANGE
        self._waiting: deque[tuple[int, Future[_Read]]] = deque()  # the last block of each range

    def __iter__(self) -> Iterator[_Read]:
        while self._waiting:
            last, future = self._waiting.popleft()
            read = future.result()
            self._size = _next_size(self._size, read)
            following = read.blocks[-1].number + 1
            if following <= last:
                self._waiting.appendleft((last, self._submit(following, last)))
            self.fill()
            yield read

    def fill(self) -> None:
        """Submits ranges, as many as may be read ahead."""
        while len(self._waiting) < self._ahead and self._next <= self._last:
            last = min(self._last, self._next + self._size - 1)
            self._waiting.append((last, self._submit(self._next, last)))
            self._next = last + 1


# ---------------------------------------------------------------- in a worker


class _Source:
    """Asks a node for blocks, and proves them."""

    def __init__(self, url: str, timeout: float, contract: str, separator: bytes) -> None:
        self._node = Node(url, timeout)
        self._prover = BlockProver(contract, separator)
        self._receipts_by_block = True

    def close(self) -> None:
        self._node.close()

    def read(self, first: int, last: int) -> _Read:
        """Reads a range, but no further than until there are many events in it."""
        numbers = range(first, last + 1)
        read = _Read([], 0)
        headers = [
            self._believed(number, header_of, raw)
            for number, raw in zip(numbers, self._node.headers(numbers), strict=True)
        ]
        events = 0
        position = 0
        while position < len(headers) and events < _MOST_EVENTS:
            part = self._until_full(headers[position:])
            events += self._prove(first + position, part, read)
            position += len(part)
        return replace(read, events=events)

    def _until_full(self, headers: Sequence[Header]) -> Sequence[Header]:
        """The first of these blocks, up to where `_AT_ONCE` of them concern the contract."""
        wanted = 0
        for place, header in enumerate(headers, 1):
            wanted += self._prover.concerns(header)
            if wanted == _AT_ONCE:
                return headers[:place]
        return headers

    def _prove(self, first: int, headers: Sequence[Header], read: _Read) -> int:
        """Proves blocks that follow one another, and returns the number of events in them."""
        asked = [number for number, header in enumerate(headers, first) if self._prover.concerns(header)]
        bodies = dict(zip(asked, self._bodies(asked), strict=True))
        events = 0
        for number, header in enumerate(headers, first):
            if number not in bodies:
                read.blocks.append(self._prover.without_calls(header, number))
                continue
            block, unproven = self._believed(number, partial(self._prover.block, header, number), *bodies[number])
            read.blocks.append(block)
            if unproven is not None:
                raise CannotCheck(
                    f"Block {number}, in which the contract may have had events, holds {unproven}, which this audit cannot encode: "
                    "nobody could say whether they are the block's own. Install a newer version of tongdui, or name another "
                    "node with --rpc."
                )
            events += sum(len(call.events) for call in block.calls)
        return events

    def _bodies(self, numbers: Sequence[int]) -> list[tuple[list[Json], list[Json]]]:
        """Transactions and receipts of these blocks."""
        blocks = self._node.ask_all("eth_getBlockByNumber", [[hex(number), True] for number in numbers])
        transactions = []
        for number, block in zip(numbers, blocks, strict=True):
            self._node.require_block(block, number)
            transactions.append(self._believed(number, _transactions, block))
        return list(zip(transactions, self._receipts(numbers, transactions), strict=True))

    def _receipts(self, numbers: Sequence[int], transactions: Sequence[list[Json]]) -> list[list[Json]]:
        if self._receipts_by_block:
            try:
                found = self._node.ask_all("eth_getBlockReceipts", [[hex(number)] for number in numbers])
            except NodeRefused as refused:
                if not refused.lacks_method:
                    raise
                self._receipts_by_block = False
            else:
                for number, receipts in zip(numbers, found, strict=True):
                    self._node.require_block(receipts, number)
                return found
        return [self._receipts_of(number, of_block) for number, of_block in zip(numbers, transactions, strict=True)]

    def _receipts_of(self, number: int, transactions: Sequence[Json]) -> list[Json]:
        names = [[transaction["hash"]] for transaction in transactions]
        receipts = self._node.ask_all("eth_getTransactionReceipt", names)
        for receipt in receipts:
            self._node.require_block(receipt, number)
        return receipts

    def _believed(self, number: int, read: Callable[..., Any], *raw: Any) -> Any:
        """What `read` makes of what the node said about a block."""
        try:
            return read(*raw)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise CannotCheck(
                f"What the node at {self._node.name} says about block {number} is not written as a block is "
                f"({type(error).__name__}: {error}). Name another node with --rpc."
            ) from error


def _transactions(block: Json) -> list[Json]:
    """The transactions of a block: objects with hashes, not hashes alone."""
    found: list[Json] = block["transactions"]
    for transaction in found:
        transaction["hash"].lower()
    return found


def _send_as_calls(*kinds: type[Any]) -> None:
    """Pickles records of these kinds as calls of their class: half the work of the state that dataclasses pickle by themselves."""
    for kind in kinds:
        values = attrgetter(*kind.__match_args__)
        copyreg.pickle(kind, lambda record, kind=kind, values=values: (kind, values(record)))  # type: ignore[misc]


_send_as_calls(Entry, Instruction, Order, SignedOrder, SignedBy)

_worker: list[tuple[_Source, Event]] = []
"""Of a worker process: its one source, and whether the reading has ended."""


def _begin(make: Callable[[], _Source], ended: Event) -> None:
    """Prepares a worker process."""
    _worker.append((make(), ended))


def _read(first: int, last: int) -> _Read:
    """Reads a range. Ctrl-C reaches workers, too: they hear it only while they read, and end the range."""
    source, ended = _worker[0]
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if ended.is_set():
            raise KeyboardInterrupt
        return source.read(first, last)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started within ignore Ctrl-C: the system hands that down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(process: BaseProcess) -> None:
    """Ends what a worker reads, so that nobody waits for it."""
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
