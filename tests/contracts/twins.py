"""The contract and the model side by side: each call is made on both, and all that can be seen of them is compared."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from tests.contracts.chain import ChainHouse
from tests.reference.rebuild import RebuiltState
from tongdui.audit.chain.storage import Checked, check_storage
from tongdui.audit.model.clearing_house import ClearingHouse, Event
from tongdui.audit.model.records import Reverted, Role
from tongdui.encoding import bytes_of, text_word
from tongdui.orders import Instruction, Kind, Reason, SignedOrder
from tongdui.receipts import Entry, Evidence, merkle_proof

UTC_OFFSET = 8 * 3_600
BEGIN = 2_000_000_000  # 2033-05-18, 11:33:20 in Shanghai


class Twins:
    """A contract on anvil and a model that must behave alike."""

    def __init__(self, url: str) -> None:
        name = text_word("Tongdui")
        self.chain = ChainHouse(url, 0, name, UTC_OFFSET, BEGIN)
        accounts = self.chain.accounts
        self.admin, self.operator, self.sequencer, self.treasury, self.pauser, self.stranger = accounts[:6]
        self.model = ClearingHouse(self.chain.domain, self.admin, name, UTC_OFFSET, BEGIN)
        self.now = BEGIN
        self.tried: set[tuple[int, int]] = set()  # nonces
        self.refs_tried: set[bytes] = set()
        self.rebuilt = RebuiltState(UTC_OFFSET)
        self.rebuilt_height = 0
        self.seen: Counter[str] = Counter()
        assert self.chain.creation == [(event, _flat(values)) for event, values in self.model.events]
        for role, account in zip(Role, accounts[1:5], strict=True):
            self.call(self.admin, "set_role", role, account, True)

    # ---------------------------------------------------------------- calls

    def call(self, by: str, name: str, *arguments: Any) -> Reverted | None:
        """Makes a call on both, a second after the last. They must say the same; returns the error that both failed with."""
        return self._both(
            lambda: getattr(self.model, name)(by, *arguments),
            lambda at: self.chain.transact(at, by, _camel(name), *arguments),
        )

    def execute(
        self, orders: Sequence[SignedOrder], evidence_of: Callable[[Instruction], Evidence] | None
    ) -> list[Event]:
        """Executes a batch on both and returns its events."""
        before = len(self.model.events)
        for signed in orders:
            self.tried.add((signed.order.merchant, signed.order.nonce))
        self._both(
            lambda: self.model.execute(self.sequencer, orders, evidence_of or _no_evidence),
            lambda at: self.chain.execute(at, self.sequencer, orders, evidence_of),
        )
        return self.model.events[before:]

    def _both(self, model: Callable[[], None], chain: Callable[[int], list[Event]]) -> Reverted | None:
        self.now += 1
        self.model.now = self.now
        expected = _outcome(lambda: self._events_of(model))
        actual = _outcome(lambda: chain(self.now))
        assert _said(actual) == _said(expected)
        if isinstance(expected, Reverted):
            self.seen[f"error {expected.error}"] += 1
            return expected
        self._count(expected)
        return None

    def _events_of(self, model: Callable[[], None]) -> list[Event]:
        before = len(self.model.events)
        model()
        return [(event, _flat(values)) for event, values in self.model.events[before:]]

    def _count(self, events: Sequence[Event]) -> None:
        for event, values in events:
            if isinstance(values[0], Entry):
                self.seen[f"kind {Kind(values[0].kind).label}"] += 1
            elif event in ("InstructionRejected", "OrderRejected"):
                self.seen[f"reason {Reason(values[3]).code}"] += 1
            elif event != "BatchClosed":
                self.seen[f"event {event}"] += 1

    # ---------------------------------------------------------------- comparison

    def compare(self, members: Sequence[str]) -> None:
        """Asserts that all state that the contract shows is the model's, and follows from the events."""
        expected = self.model.state()
        # The contract keeps no documents: they are in the events, where `compare_rebuilt` looks for them.
        expected["agreements"] = {n: terms[:-1] for n, terms in expected["agreements"].items()}
        actual = self.observe(members)
        for part, value in expected.items():
            assert actual[part] == value, f"{part} differ"

    def compare_rebuilt(self) -> None:
        """What an auditor rebuilds from the events alone is the model's state, too."""
        height = self.chain.height()
        for time, (event, values) in self.chain.history(self.rebuilt_height + 1, height):
            self.rebuilt.read(time, event, values)
        self.rebuilt_height = height
        expected = self.model.state()
        rebuilt = self.rebuilt.state(self.model.now)
        for part, value in expected.items():
            assert rebuilt[part] == value, f"{part} cannot be rebuilt"

    def compare_storage(self) -> None:
        """Every slot of the contract's storage follows from the model's state, and there is no other one."""
        height = self.chain.height()
        header = self.chain.rpc("eth_getBlockByNumber", hex(height), False)
        state_root = bytes_of(header["stateRoot"])
        assert check_storage(self.chain.node, self.chain.address, height, state_root, self.model) == Checked()

    def observe(self, members: Sequence[str]) -> dict[str, Any]:
        """The contract's state, in the form of the model's."""
        m = self.model
        programs = range(1, len(m.programs) + 1)
        accounts = [(member, program) for member in members for program in programs]
        nonces = sorted(self.tried | m.used_nonces())
        refs = sorted(self.refs_tried | set(m.bank_refs))
        entries = sorted(m.reversed)
        batches = sorted(m.roots)
        parts: dict[str, list[tuple[Any, ...]]] = {
            "merchants": [("merchantOf", n) for n in m.merchants],
            "keys": [("signerOf", key) for key in m.keys],
            "programs": [("programOf", n) for n in m.programs],
            "totals": [("totalsOf", n) for n in m.programs],
            "caps": [("issuanceCapOf", n) for n in m.programs],
            "supplies": [("totalSupply", n) for n in m.programs],
            "agreements": [("agreementOf", n) for n in m.agreements],
            "used today": [("usedToday", n) for n in m.agreements],
            "balances": [("balanceOf", *account) for account in accounts],
            "reversed": [("reversedOf", leaf) for leaf in entries],
            "nonces": [("nonceUsed", *nonce) for nonce in nonces],
            "bank references": [("bankRefUsed", ref) for ref in refs],
            "roots": [("rootOf", batch) for batch in batches],
            "scalars": [("settlementFunds",), ("head",), ("today",), ("paused",)],
            "counts": [(f"{what}Count",) for what in ("merchant", "program", "agreement", "batch")],
        }
        answers = iter(self.chain.views([call for calls in parts.values() for call in calls]))
        got = {part: [next(answers) for _ in calls] for part, calls in parts.items()}
        assert got["counts"] == [len(m.merchants), len(m.programs), len(m.agreements), len(m.roots)]
        funds, head, today, paused = got["scalars"]
        return {
            "merchants": dict(zip(m.merchants, got["merchants"], strict=True)),
            "keys": dict(zip(m.keys, got["keys"], strict=True)),
            "programs": dict(zip(m.programs, got["programs"], strict=True)),
            "totals": dict(zip(m.programs, got["totals"], strict=True)),
            "caps": dict(zip(m.programs, got["caps"], strict=True)),
            "supplies": dict(zip(m.programs, got["supplies"], strict=True)),
            "agreements": {n: terms[:-1] for n, terms in zip(m.agreements, got["agreements"], strict=True)},
            "used today": dict(zip(m.agreements, got["used today"], strict=True)),
            "balances": {a: points for a, points in zip(accounts, got["balances"], strict=True) if points},
            "reversed": {leaf: points for leaf, points in zip(entries, got["reversed"], strict=True) if points},
            "nonces": {nonce for nonce, used in zip(nonces, got["nonces"], strict=True) if used},
            "bank references": {ref for ref, used in zip(refs, got["bank references"], strict=True) if used},
            "roots": dict(zip(batches, got["roots"], strict=True)),
            "funds": funds,
            "head": head,
            "today": today,
            "paused": paused,
        }

    # ---------------------------------------------------------------- evidence, snapshots

    def entries(self) -> list[Entry]:
        """All entries so far, in order."""
        return [values[0] for _, values in self.model.events if values and isinstance(values[0], Entry)]

    def evidence(self, entry: Entry) -> Evidence:
        """The proof of an entry in its batch."""
        leaves = [e.leaf() for e in self.entries() if e.batch == entry.batch]
        return Evidence(entry, merkle_proof(leaves, entry.index))

    def snapshot(self) -> tuple[str, dict[str, Any]]:
        """What `restore` needs to come back to this moment."""
        kept = {name: value for name, value in vars(self).items() if name not in ("chain", "seen")}
        return self.chain.rpc("evm_snapshot"), copy.deepcopy(kept)

    def restore(self, snapshot: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Goes back; the snapshot is used up, and a fresh one of the same moment is returned."""
        assert self.chain.rpc("evm_revert", snapshot[0])
        vars(self).update(snapshot[1])
        return self.snapshot()


def _outcome(call: Callable[[], list[Event]]) -> list[Event] | Reverted:
    try:
        return call()
    except Reverted as error:
        return error


def _said(outcome: list[Event] | Reverted) -> tuple[Any, ...]:
    return outcome.args if isinstance(outcome, Reverted) else tuple(outcome)


def _no_evidence(_: Instruction) -> None:
    return None


def _flat(values: Sequence[Any]) -> tuple[Any, ...]:
    """Event values as the chain gives them: entries stay, other dataclasses are tuples."""
    return tuple(astuple(v) if hasattr(v, "__dataclass_fields__") and not isinstance(v, Entry) else v for v in values)


def _camel(name: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)
