"""Makes a long chain fast: a real contract on a real node, in batches of 400 orders that are signed one by one."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from scripts.bench.bare_chain import FAR_FUTURE, PROGRAMS, BareChain, member, reference
from scripts.dev.services import Anvil, anvil
from tongdui.orders import Domain, Instruction, Kind, Order, SignedOrder, execute_calldata, sign_digest

BATCH = 400
_GAS = 55_000_000
_A_BLOCK = 8
"""Batches in a block: the node computes the state's root once a block, and that takes longer the more it holds."""
CHAIN_ARGUMENTS = ("--gas-limit", str(_A_BLOCK * _GAS), "--code-size-limit", "60000", "--prune-history")
"""Only the state of the newest block is kept: it is all that an audit asks for, and that of each block would fill the memory."""
_OWN = BATCH // PROGRAMS
"""Orders of each merchant in a batch."""
_GIVEN, _TAKEN = 1_000, 10
_TAKING = (Kind.EXCHANGE, Kind.EXCHANGE, Kind.EXCHANGE, Kind.REDEEM, Kind.TRANSFER)


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes the orders of every batch, whoever makes them."""

    domain: Domain
    keys: tuple[bytes, ...]
    agreements: dict[tuple[int, int], int]
    members: int

    def calldata(self, batch: int) -> bytes:
        """The call of the so-manyth batch, from 0. Even ones issue points; odd ones take some of those that the last one issued."""
        return execute_calldata([self._order(batch, place) for place in range(BATCH)])

    def _order(self, batch: int, place: int) -> SignedOrder:
        merchant, own = place % PROGRAMS + 1, place // PROGRAMS
        order = Order(merchant, batch * _OWN + own, FAR_FUTURE, (self._instruction(batch, place, merchant),))
        return SignedOrder(order, sign_digest(order.digest(self.domain), self.keys[merchant - 1]))

    def _instruction(self, batch: int, place: int, merchant: int) -> Instruction:
        number = batch * BATCH + place
        if batch % 2 == 0:
            return Instruction(
                Kind.ISSUE,
                self._member(number),
                _GIVEN,
                merchant,
                expiry_day=30_000 + number % 7,
                ref=reference(number),
            )
        kind, taker = _TAKING[number // PROGRAMS % len(_TAKING)], self._member(number - BATCH)
        if kind is Kind.EXCHANGE:
            agreement = self.agreements[merchant, merchant % PROGRAMS + 1]
            return Instruction(kind, taker, _TAKEN, merchant, agreement, ref=reference(number))
        link = bytes(12) + bytes.fromhex(self._member(number + 1)[2:]) if kind is Kind.TRANSFER else bytes(32)
        return Instruction(kind, taker, _TAKEN, merchant, link=link, ref=reference(number))

    def _member(self, number: int) -> str:
        """Members take turns, in no order that a cache could guess."""
        return member(number * 7_919 % self.members)


@dataclass(frozen=True, slots=True)
class LongChain:
    """A chain with a number of entries."""

    node: Anvil
    contract: str
    entries: int


@contextmanager
def long_chain(entries: int) -> Iterator[LongChain]:
    """Makes a chain with so many entries, in whole batches, of a tenth as many members; signs in as many processes as can run."""
    batches = -(-entries // BATCH)
    with anvil(arguments=CHAIN_ARGUMENTS) as node:
        bare = BareChain(node.url)
        plan = Plan(bare.domain, tuple(bare.keys), bare.agreements, max(BATCH + 1, entries // 10))
        with multiprocessing.Pool() as pool:
            _execute(bare, _made_ahead(pool, plan, batches))
        bare.close()
        yield LongChain(node, bare.address, batches * BATCH)


def _made_ahead(pool: multiprocessing.pool.Pool, plan: Plan, batches: int) -> Iterator[bytes]:
    """The calls of all batches, of which a few wait ready."""
    make = partial(pool.apply_async, plan.calldata)
    jobs = (make((batch,)) for batch in range(batches))
    waiting = deque(islice(jobs, 2 * _A_BLOCK))
    while waiting:
        yield waiting.popleft().get()
        waiting.extend(islice(jobs, 1))


def _execute(bare: BareChain, calls: Iterator[bytes]) -> None:
    """Sends all batches, some to a block. All instructions must be accepted: an entry each, and the batch's end."""
    bare.client.call("evm_setAutomine", False)
    while some := list(islice(calls, _A_BLOCK)):
        sent = [bare.send(bare.signed(data, gas=_GAS)) for data in some]
        bare.client.call("evm_mine")
        for transaction in sent:
            posted = len(bare.wait(transaction)["logs"]) - 1
            assert posted == BATCH, f"{posted} of {BATCH} instructions were accepted"
