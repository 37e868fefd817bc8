"""The state of the clearing house from its events alone, as an auditor rebuilds it who has nothing else (invariant 6).

It knows no rules: it does not ask whether a movement was allowed, only what it moved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tongdui.encoding import ZERO_WORD
from tongdui.orders import NO_NONCE, Kind, Reason
from tongdui.receipts import Entry, chain_head, merkle_root

TOTALS = ("issued", "exchanged_in", "restored", "redeemed", "spent", "exchanged_out", "expired", "revoked")
VALID_UNTIL, SUPERSEDES = 9, 15  # places in the terms


class RebuiltState:
    """What the events have told so far."""

    def __init__(self, utc_offset: int) -> None:
        self.utc_offset = utc_offset
        self.merchants: dict[int, list[int]] = {}  # status, position, credit limit
        self.keys: dict[str, tuple[int, int, int]] = {}
        self.programs: dict[int, list[Any]] = {}  # merchant, paused, code, name
        self.totals: dict[int, Counter[str]] = {}
        self.caps: dict[int, tuple[int, int, int]] = {}  # points, what follows, from which day on
        self.issued: Counter[tuple[int, int]] = Counter()  # under a cap, by (program, day)
        self.agreements: dict[int, list[Any]] = {}
        self.used: Counter[tuple[int, int]] = Counter()  # (agreement, day)
        self.day_of: dict[bytes, int] = {}  # by leaf
        self.balances: Counter[tuple[str, int]] = Counter()
        self.entries: dict[bytes, Entry] = {}
        self.reversed: Counter[bytes] = Counter()
        self.nonces: set[tuple[int, int]] = set()
        self.bank_refs: set[bytes] = set()
        self.funds = 0
        self.leaves: defaultdict[int, list[bytes]] = defaultdict(list)
        self.roots: dict[int, bytes] = {}
        self.head = ZERO_WORD
        self.paused = False
        self.day = 0

    def read(self, time: int, event: str, values: tuple[Any, ...]) -> None:
        """Takes in one event of a block at `time`."""
        self.day = (time + self.utc_offset) // 86_400
        readers = (self._read_registry, self._read_agreements, self._read_settlement, self._read_journal)
        assert any(reader(event, values) for reader in readers), f"unknown event {event}{values}"

    def _read_registry(self, event: str, values: tuple[Any, ...]) -> bool:
        match event, values:
            case "MerchantRegistered", (merchant, limit, _name):
                self.merchants[merchant] = [1, 0, limit]
            case "MerchantStatusChanged", (merchant, status):
                self.merchants[merchant][0] = status
            case "SignerChanged", (merchant, key, valid_from, valid_until, nonce):
                self.keys[key] = (merchant, valid_from, valid_until)
                if nonce != NO_NONCE:
                    self.nonces.add((merchant, nonce))
            case "ProgramRegistered", (program, merchant, code, name):
                self.programs[program] = [merchant, False, code, name]
                self.totals[program] = Counter()
                self.caps[program] = (0, 0, 0)
            case "IssuanceCapChanged", (program, points, day):
                now = self._cap(program, self.day)[0]
                self.caps[program] = (points, 0, 0) if day == self.day else (now, points, day)
            case "ProgramPauseChanged", (program, paused):
                self.programs[program][1] = paused
            case "Paused" | "Unpaused", _:
                self.paused = event == "Paused"
            case _:
                return event in ("RoleChanged", "OwnershipTransferred")  # which nothing here depends on
        return True

    def _read_agreements(self, event: str, values: tuple[Any, ...]) -> bool:
        match event, values:
            case "AgreementRegistered", (agreement, _digest, terms, _source, _target):
                self.agreements[agreement] = list(terms)
                self.used[agreement, self.day] = self.used[terms[SUPERSEDES], self.day]
            case "AgreementEnds", (agreement, valid_until, _by):
                self.agreements[agreement][VALID_UNTIL] = valid_until
            case _:
                return False
        return True

    def _read_settlement(self, event: str, values: tuple[Any, ...]) -> bool:
        match event, values:
            case "CreditLimitChanged", (merchant, limit):
                self.merchants[merchant][2] = limit
            case "Deposited" | "Withdrawn", (merchant, micros, bank_ref):
                signed = micros if event == "Deposited" else -micros
                self.merchants[merchant][1] += signed
                self.funds += signed
                self.bank_refs.add(bank_ref)
            case _:
                return False
        return True

    def _read_journal(self, event: str, values: tuple[Any, ...]) -> bool:
        match event, values:
            case "EntryPosted" | "LinkedEntryPosted", (Entry() as entry,):
                self._read_entry(entry)
            case "InstructionRejected", (merchant, nonce, _item, _reason):
                self.nonces.add((merchant, nonce))
            case "OrderRejected", (merchant, nonce, _digest, reason):
                if reason == Reason.ATOMIC_FAILED:
                    self.nonces.add((merchant, nonce))
            case "BatchClosed", (batch, count, root, head):
                self._read_batch(batch, count, root, head)
            case _:
                return False
        return True

    def _read_batch(self, batch: int, count: int, root: bytes, head: bytes) -> None:
        leaves = self.leaves[batch]
        assert (batch, count) == (len(self.roots) + 1, len(leaves))
        assert root == merkle_root(leaves)
        assert head == chain_head(self.head, batch, count, root)
        self.roots[batch] = root
        self.head = head

    def _read_entry(self, e: Entry) -> None:
        assert e.index == len(self.leaves[e.batch])
        self.leaves[e.batch].append(e.leaf())
        self.entries[e.leaf()] = e
        self.day_of[e.leaf()] = self.day
        self.nonces.add((e.merchant, e.nonce))
        match e.kind:
            case Kind.ISSUE:
                self._move(e.member, e.program, e.points, "issued")
                self._count_issued(e.program, e.points)
            case Kind.REDEEM:
                self._move(e.member, e.program, -e.points, "redeemed")
            case Kind.EXPIRE:
                self._move(e.member, e.program, -e.points, "expired")
            case Kind.TRANSFER:
                self.balances[e.member, e.program] -= e.points
                self.balances[_recipient(e), e.program] += e.points
            case Kind.EXCHANGE | Kind.SPEND:
                self._read_conversion(e)
            case Kind.REVERSE:
                self._read_reversal(e, self.entries[e.link])

    def _read_conversion(self, e: Entry) -> None:
        source, target, target_program = self._parties(e)
        self._move(e.member, e.program, -e.points, "exchanged_out" if target_program else "spent")
        if target_program:
            self._move(e.member, target_program, e.out, "exchanged_in")
        self.used[e.agreement, self.day] += e.points
        self.merchants[source][1] -= e.settled + e.fee
        self.merchants[target][1] += e.settled
        self.merchants[0][1] += e.fee

    def _read_reversal(self, e: Entry, original: Entry) -> None:
        self.reversed[e.link] += e.points
        match original.kind:
            case Kind.ISSUE:
                self._move(e.member, e.program, -e.points, "revoked")
            case Kind.REDEEM | Kind.EXPIRE:
                self._move(e.member, e.program, e.points, "restored")
            case Kind.TRANSFER:
                self.balances[_recipient(original), e.program] -= e.points
                self.balances[e.member, e.program] += e.points
            case _:
                source, target, target_program = self._parties(e)
                self._move(e.member, e.program, e.points, "restored")
                if target_program:
                    self._move(e.member, target_program, -e.out, "revoked")
                self.merchants[source][1] += e.settled + e.fee
                self.merchants[target][1] -= e.settled + e.fee
                if self.day_of[e.link] == self.day:
                    self.used[e.agreement, self.day] -= e.points

    def _parties(self, e: Entry) -> tuple[int, int, int]:
        """Source merchant, target merchant and target program of the entry's agreement."""
        terms = self.agreements[e.agreement]
        return terms[4], terms[5], terms[7]

    def _move(self, member: str, program: int, points: int, total: str) -> None:
        self.balances[member, program] += points
        self.totals[program][total] += abs(points)

    def _count_issued(self, program: int, points: int) -> None:
        if self.caps[program][0]:
            self.issued[program, self.day] += points

    def _cap(self, program: int, day: int) -> tuple[int, int, int]:
        """Points that count on a day, what follows them, and from which day on."""
        points, following, from_day = self.caps[program]
        return (following, 0, 0) if 0 < from_day <= day else (points, following, from_day)

    def _cap_seen(self, program: int, today: int) -> tuple[int, int, int, int]:
        points, following, from_day = self._cap(program, today)
        return points, self.issued[program, today], following, from_day

    def state(self, now: int) -> dict[str, Any]:
        """The same picture that the model and the chain give of themselves."""
        today = (now + self.utc_offset) // 86_400
        created = {n: sum(t[name] for name in TOTALS[:3]) for n, t in self.totals.items()}
        gone = {n: sum(t[name] for name in TOTALS[3:]) for n, t in self.totals.items()}
        return {
            "merchants": {n: tuple(m) for n, m in self.merchants.items()},
            "keys": self.keys,
            "programs": {n: tuple(p) for n, p in self.programs.items()},
            "totals": {n: tuple(t[name] for name in TOTALS) for n, t in self.totals.items()},
            "caps": {n: self._cap_seen(n, today) for n in self.caps},
            "supplies": {n: created[n] - gone[n] for n in self.totals},
            "agreements": {n: tuple(a) for n, a in self.agreements.items()},
            "used today": {n: self.used[n, today] for n in self.agreements},
            "balances": {account: points for account, points in self.balances.items() if points},
            "reversed": {leaf: points for leaf, points in self.reversed.items() if points},
            "nonces": self.nonces,
            "bank references": self.bank_refs,
            "funds": self.funds,
            "roots": self.roots,
            "head": self.head,
            "today": today,
            "paused": self.paused,
        }


def _recipient(transfer: Entry) -> str:
    return "0x" + transfer.link[12:].hex()
