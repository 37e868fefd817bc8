"""Real receipts of every kind of movement, from a network on anvil, and everything that can be altered in them."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from clearing.kit.clock import MovableClock
from clearing.kit.viewer import Viewer
from clearing.ledger.journal.models import Entry
from clearing.ledger.journal.service import EntryService
from clearing.ordering.orders.kinds.expire import ExpireRequest
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from tests.support.harness import Harness
from tongdui import APIConnectionError, Receipt, VerificationError
from tongdui.orders import Kind

Json = dict[str, Any]


def move_points(harness: Harness, clock: MovableClock) -> None:
    """Lets every kind of movement happen, one of them in a batch of several entries."""
    member, friend = harness.member(), harness.member()
    spent_under = harness.acceptor()
    tomorrow = harness.network.date_of(harness.today() + 1)
    harness.accept(
        1,
        [
            IssueRequest(member=member, points=900 + number, program="FUEL", expires_on=tomorrow, reference=f"{number}")
            for number in range(5)
        ],
    )
    harness.settle()
    spend = harness.spend(member, 300, spent_under, reference="wash 1")
    harness.exchange(member, 101)
    harness.transfer(member, friend, 50)
    harness.accept(1, [RedeemRequest(member=member, points=20, program="FUEL")], atomic=True)
    harness.settle()
    harness.reverse(3, spend, 120)
    harness.settle()
    clock.move(timedelta(days=2))
    harness.accept(1, [ExpireRequest(member=friend, points=50, program="FUEL")])
    harness.settle()


def receipts_of(harness: Harness) -> dict[str, Json]:
    """The receipts of all entries, by a name that starts with their kind."""
    with harness.database.session.begin() as session:
        entries = EntryService(session)
        found = {}
        for entry in session.scalars(select(Entry).order_by(Entry.batch, Entry.index)):
            proof = entries.receipt(Viewer(), entry.leaf)
            wire = dataclasses.asdict(proof.entry.wire())
            document = {
                "entry": {
                    name: f"0x{value.hex()}" if isinstance(value, bytes) else value for name, value in wire.items()
                },
                "leaf": f"0x{proof.entry.leaf.hex()}",
                "proof": [f"0x{sibling.hex()}" for sibling in proof.path],
                "root": f"0x{proof.batch.root.hex()}",
                "batch": proof.batch.number,
                "tx_hash": f"0x{proof.batch.tx_hash.hex()}",
                "block_number": proof.batch.block_number,
                "chain_id": harness.settings.chain_id,
                "contract": harness.settings.contract,
            }
            found[f"{Kind(entry.kind).label} {entry.batch}.{entry.index}"] = document
        return found


# -------------------------------------------------------------------- alterations


def alterations(receipt: Json, chance: random.Random) -> Iterator[tuple[str, Json]]:
    """The receipt with one field altered, each with a name; every field in several ways."""
    for path, value in fields_of(receipt):
        name = ".".join(map(str, path))
        yield f"{name} left out", without(receipt, path)
        for number, other in enumerate(others(value, chance)):
            yield f"{name} altered, {number}", altered(receipt, path, other)
    siblings = receipt["proof"]
    yield "proof one longer", altered(receipt, ("proof",), [*siblings, f"0x{chance.randbytes(32).hex()}"])
    if siblings:
        yield "proof one shorter", altered(receipt, ("proof",), siblings[:-1])
    if len(siblings) > 1:
        yield "proof turned round", altered(receipt, ("proof",), siblings[::-1])


def fields_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every number and every text of a document with its place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields_of(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from fields_of(inner, (*path, place))
    else:
        yield path, value


def others(value: int | str, chance: random.Random) -> Iterator[Any]:
    """Other values of the same form, and some of no right form."""
    if isinstance(value, int):
        yield value + 1
        yield from [value - 1] if value else []
        yield value ^ 1 << chance.randrange(16)
        yield from (-1, 2**70, 0.5, True, None, "1e3", " 1", "01", "")
        return
    place = chance.randrange(2, len(value))
    digit = chance.choice([digit for digit in "0123456789abcdef" if digit != value[place].lower()])
    yield value[:place] + digit + value[place + 1 :]
    yield from (value[:-1], value + "0", value[:-1] + "g", value[2:], "", 7, None, [value])


def altered(receipt: Json, path: tuple[str | int, ...], value: Any) -> Json:
    """The receipt with another value at a place."""
    document = copy.deepcopy(receipt)
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return document


def without(receipt: Json, path: tuple[str | int, ...]) -> Json:
    """The receipt without what stands at a place."""
    document = copy.deepcopy(receipt)
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    return document


# -------------------------------------------------------------------- what Python says


def verdict_of_python(file: Path, *, rpc_url: str, contract: str, chain_id: int) -> str:
    """What the SDK says of a receipt's file: valid, refused or undecided."""
    try:
        Receipt.load(file).verify(rpc_url=rpc_url, contract=contract, chain_id=chain_id)
    except VerificationError:
        return "refused"
    except APIConnectionError:
        return "undecided"
    return "valid"
