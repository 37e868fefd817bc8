"""Keys used for one purpose each: who holds which role of the contract from when to when, and what they called with it.

The owner grants roles and replaces a merchant's lost keys. The operator may hold the pauser's role as well; everybody else has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...orders import NO_NONCE, ZERO_ADDRESS
from ..findings import Finding, Place
from ..model.records import Role
from ..network import NetworkState
from ..tables import Tables
from ..watching import BlockSeen, EventSeen, Watcher

RULES = {
    "roles.two_roles": "no account holds two roles, except that the operator may be the pauser too, and the owner holds none",
    "roles.signs_orders": "no account that holds a role is a merchant's signer key",
    "roles.shared_key": "no two merchants have the same signer key",
    "roles.without_role": "whoever makes a call holds the role that it needs",
    "roles.other_use": "an account that holds a role makes no calls of another kind",
}

OWNER = "owner"
_NAMES = {role: role.name.lower() for role in Role}
_OPERATOR, _SEQUENCER, _TREASURY, _PAUSER = (_NAMES[role] for role in Role)
_NEEDS = {
    "RoleChanged": OWNER,
    "OwnershipTransferStarted": OWNER,
    "MerchantRegistered": _OPERATOR,
    "MerchantStatusChanged": _OPERATOR,
    "ProgramRegistered": _OPERATOR,
    "AgreementRegistered": _OPERATOR,
    "CreditLimitChanged": _OPERATOR,
    "IssuanceCapChanged": _OPERATOR,
    "ProgramPauseChanged": _PAUSER,
    "Paused": _PAUSER,
    "Unpaused": _PAUSER,
    "Deposited": _TREASURY,
    "Withdrawn": _TREASURY,
    "BatchClosed": _SEQUENCER,
    "ImportBegun": OWNER,
    "Opened": OWNER,
}
"""The role that an event's call needs. What is missing here needs none, or says itself which."""
_TOGETHER = {frozenset({_OPERATOR, _PAUSER})}


class _Holding(NamedTuple):
    """When an account got a role and lost it (-1: it has it), and what it did with it."""

    block: int
    time: int
    transaction: str
    until_block: int
    until_time: int
    calls: int
    last_block: int
    last_transaction: str


class _Key(NamedTuple):
    merchant: int
    valid_from: int
    valid_until: int


@dataclass(frozen=True, slots=True)
class Held:
    """Who held a role, and when."""

    role: str
    """`owner`, `operator`, `sequencer`, `treasury` or `pauser`."""
    account: str
    since: int
    """Unix seconds."""
    since_block: int
    transaction: str
    """The one that granted it."""
    until: int | None
    """None: still."""
    until_block: int | None
    calls: int
    """Made in this role."""
    last_block: int | None
    """That of the last of them."""


class Roles(Watcher):
    """Keeps who holds which role, and compares each call with it."""

    def __init__(self, tables: Tables) -> None:
        self._holdings = tables.table("rule.roles")
        """Role, account, how many times the account got it before -> a `_Holding`."""
        self._times = tables.table("rule.roles.times", default=0)
        """Role, account -> how many times it got it."""
        self._of = tables.table("rule.roles.accounts", default=())
        """Account -> the roles that it holds."""
        self._keys = tables.table("rule.roles.keys")
        """A signer key's address -> a `_Key`."""
        self._told = tables.table("rule.roles.told", default=False)
        """What was told once and is not told again: a rule, an account and what it did."""

    def on_event(self, seen: EventSeen) -> Sequence[Finding]:
        """Takes in grants and keys, and judges the call that the event belongs to."""
        found = list(self._judged_call(seen))
        match seen.name:
            case "RoleChanged":
                role, account, held = seen.values
                if held:
                    found += self._grant(_NAMES[Role(role)], account, seen)
                else:
                    self._take(_NAMES[Role(role)], account, seen)
            case "OwnershipTransferred":
                previous, owner = seen.values
                self._take(OWNER, previous, seen)
                if owner != ZERO_ADDRESS:  # nobody owns a frozen contract
                    found += self._grant(OWNER, owner, seen)
            case "SignerChanged":
                found += self._change_key(seen)
        return found

    def on_succession(self, state: NetworkState, block: BlockSeen) -> None:
        """Takes over the keys of merchants. Roles are granted anew."""
        for address, key in state.keys.stored():
            self._keys[address] = tuple(_Key(*key))

    def held(self) -> list[Held]:
        """Who holds and held which role, in the order in which they got it."""
        rows = [(key, _Holding(*row)) for key, row in self._holdings.stored()]
        rows.sort(key=lambda one: (one[1].block, one[0]))
        return [
            Held(
                role,
                account,
                row.time,
                row.block,
                row.transaction,
                None if row.until_block < 0 else row.until_time,
                None if row.until_block < 0 else row.until_block,
                row.calls,
                row.last_block if row.calls else None,
            )
            for (role, account, _), row in rows
        ]

    # ---------------------------------------------------------------- who holds what

    def _grant(self, role: str, account: str, seen: EventSeen) -> list[Finding]:
        others = [other for other in self._of[account] if other != role]
        if role in self._of[account] or account == ZERO_ADDRESS:
            return []
        self._of[account] = (*self._of[account], role)
        self._times[role, account] += 1
        self._keep(role, account, _Holding(seen.block.number, seen.block.time, seen.transaction, -1, -1, 0, -1, ""))
        found = [
            _finding(
                seen,
                "roles.two_roles",
                account,
                f"somebody else is the {role}, as this account is the {other}",
                f"it is both {other} and {role}",
            )
            for other in others
            if frozenset({role, other}) not in _TOGETHER
        ]
        return [*found, *self._signing(account, seen)]

    def _take(self, role: str, account: str, seen: EventSeen) -> None:
        if role in self._of[account]:
            self._of[account] = tuple(other for other in self._of[account] if other != role)
            row = self._holding(role, account)
            self._keep(role, account, row._replace(until_block=seen.block.number, until_time=seen.block.time))

    def _count(self, role: str, seen: EventSeen) -> None:
        """Counts a call, once for all its events."""
        row = self._holding(role, seen.sender)
        if row.last_transaction != seen.transaction:
            self._keep(
                role,
                seen.sender,
                row._replace(calls=row.calls + 1, last_block=seen.block.number, last_transaction=seen.transaction),
            )

    def _holding(self, role: str, account: str) -> _Holding:
        return _Holding(*self._holdings[role, account, self._times[role, account] - 1])

    def _keep(self, role: str, account: str, row: _Holding) -> None:
        self._holdings[role, account, self._times[role, account] - 1] = tuple(row)

    def _change_key(self, seen: EventSeen) -> list[Finding]:
        merchant, key, valid_from, valid_until, _ = seen.values
        before = self._keys.get(key)
        self._keys[key] = tuple(_Key(merchant, valid_from, valid_until))
        found = self._signing(key, seen)
        if before is not None and before[0] != merchant:
            expected = f"a key of merchant {before[0]} alone"
            found.append(_finding(seen, "roles.shared_key", key, expected, f"it becomes a key of merchant {merchant}"))
        return found

    def _signing(self, account: str, seen: EventSeen) -> list[Finding]:
        """Says it where an account that holds a role signs for a merchant, now or later."""
        if account not in self._keys or not self._of[account]:
            return []
        key = _Key(*self._keys[account])
        if key.valid_until <= seen.block.time or not self._is_new("roles.signs_orders", account, *self._of[account]):
            return []
        expected = f"the {_listed(self._of[account])} has a key of its own"
        return [
            _finding(seen, "roles.signs_orders", account, expected, f"it is a signer key of merchant {key.merchant}")
        ]

    # ---------------------------------------------------------------- who calls what

    def _judged_call(self, seen: EventSeen) -> Iterator[Finding]:
        needed = self._needed(seen)
        has = self._of[seen.sender]
        if needed is None:
            return
        if not needed:
            # A merchant has signed it, so anybody may bring it: of those that hold a role, that is the operator's part.
            if has and _OPERATOR not in has and self._is_new("roles.other_use", seen.sender, seen.name):
                expected = f"the {_listed(has)} makes no calls but its own"
                yield _finding(seen, "roles.other_use", seen.sender, expected, f"it made the call behind {seen.name}")
            return
        holder = next((role for role in needed if role in has), None)
        if holder is not None:
            self._count(holder, seen)
        elif self._is_new("roles.without_role", seen.sender, seen.name):
            expected = f"{seen.name} comes of a call of the {_listed(needed, 'or')}"
            found = f"it made the call, and is the {_listed(has)}" if has else "it made the call, and holds no role"
            yield _finding(seen, "roles.without_role", seen.sender, expected, found)

    def _needed(self, seen: EventSeen) -> tuple[str, ...] | None:
        """The roles of which a call needs one: none if a merchant's signature is enough. None if the event does not say."""
        if seen.name in _NEEDS:
            # The contract is born with merchant 0, before anybody holds a role.
            return None if seen.name == "MerchantRegistered" and seen.values[0] == 0 else (_NEEDS[seen.name],)
        if seen.name == "SignerChanged":
            return (_OPERATOR, OWNER) if seen.values[-1] == NO_NONCE else ()
        if seen.name == "AgreementEnds":
            return None if seen.values[-1] else ()
        return None

    def _is_new(self, *what: str) -> bool:
        if self._told[what]:
            return False
        self._told[what] = True
        return True


def _listed(roles: Iterable[str], last: str = "and") -> str:
    return f" {last} ".join(roles)


def _finding(seen: EventSeen, rule: str, account: str, expected: str, found: str) -> Finding:
    return Finding(rule, f"account {account}", expected, found, Place(seen.block.number, seen.transaction))
