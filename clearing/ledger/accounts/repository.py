"""SQL of accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.in_list import pairs_in_list
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.models import Account

AccountKey = tuple[str, int]
"""(member's address, program number)."""

_ADD_IN_PLACE = text(
    """
    INSERT INTO accounts (address, program, posted, reserved, expiring, unswept)
    SELECT * FROM unnest(
        CAST(:addresses AS varchar[]), CAST(:programs AS integer[]),
        CAST(:posted AS numeric[]), CAST(:reserved AS numeric[]), CAST(:expiring AS numeric[]),
        CAST(:unswept AS boolean[])
    )
    ON CONFLICT (address, program) DO UPDATE SET
        posted = accounts.posted + excluded.posted,
        reserved = accounts.reserved + excluded.reserved,
        expiring = accounts.expiring + excluded.expiring,
        unswept = accounts.unswept OR excluded.unswept
    """
)

_IS_UNSWEPT = text("accounts.unswept")
"""Word for word the condition of the partial index: with a parameter, SQLite would not see that it applies."""


class Balance(NamedTuple):
    """What an account holds, or what is added to it. A tuple, because accounts are read by the hundred."""

    posted: int = 0
    reserved: int = 0
    expiring: int = 0
    unswept: bool = False

    def plus(self, change: Balance) -> Balance:
        """The balance after a change."""
        return Balance(
            self.posted + change.posted,
            self.reserved + change.reserved,
            self.expiring + change.expiring,
            self.unswept or change.unswept,
        )


NOTHING = Balance()


class AccountRepository:
    """Accounts in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_member(self, address: str) -> list[Account]:
        """The member's accounts, by program."""
        query = select(Account).where(Account.address == address).order_by(Account.program)
        return list(self._session.scalars(query))

    def lock(self, keys: Iterable[AccountKey]) -> dict[AccountKey, Balance]:
        """The stored accounts with these keys, locked until the transaction ends. Always in the same order: no deadlocks."""
        return self._read(keys, lock=True)

    def balances(self, keys: Iterable[AccountKey]) -> dict[AccountKey, Balance]:
        """The stored accounts with these keys."""
        return self._read(keys, lock=False)

    def _read(self, keys: Iterable[AccountKey], *, lock: bool) -> dict[AccountKey, Balance]:
        query = (
            select(
                Account.address,
                Account.program,
                Account.posted,
                Account.reserved,
                Account.expiring,
                Account.unswept,
            )
            .where(pairs_in_list(self._session, Account.address, Account.program, set(keys)))
            .order_by(Account.address, Account.program)
        )
        rows = self._session.execute(query.with_for_update(of=Account) if lock else query)
        return {(row[0], row[1]): Balance(row[2], row[3], row[4], row[5]) for row in rows}

    def unswept(self) -> set[AccountKey]:
        """The accounts that the expiry round has to look at, whatever the day."""
        query = select(Account.address, Account.program).where(_IS_UNSWEPT)
        return {(address, program) for address, program in self._session.execute(query)}

    def sweep(self, keys: Collection[AccountKey]) -> None:
        """Notes that the expiry round has looked at these accounts. Lock them first."""
        mine = pairs_in_list(self._session, Account.address, Account.program, keys)
        self._session.execute(
            update(Account).where(_IS_UNSWEPT, mine).values(unswept=False),
            execution_options={"synchronize_session": False},
        )
        self._forget_loaded()

    def add(self, changes: Mapping[AccountKey, Balance]) -> None:
        """Adds a change to each account; makes the accounts that are not stored yet."""
        ordered = [(key, change) for key, change in sorted(changes.items()) if change != NOTHING]
        if not ordered:
            return
        if dialect_of(self._session) == "postgresql":
            self._add_in_place(ordered)
        else:
            self._read_and_write(ordered)
        self._forget_loaded()

    def _add_in_place(self, changes: list[tuple[AccountKey, Balance]]) -> None:
        """One statement for all of them. The rows are locked in the order of `changes`, like everywhere: no deadlocks."""
        columns = [list(column) for column in zip(*((*key, *change) for key, change in changes), strict=True)]
        names = ("addresses", "programs", "posted", "reserved", "expiring", "unswept")
        self._session.execute(_ADD_IN_PLACE, dict(zip(names, columns, strict=True)))

    def _read_and_write(self, changes: list[tuple[AccountKey, Balance]]) -> None:
        """SQLite keeps our big numbers as text, so Python adds them; there is one writer at a time anyway."""
        found = self.lock(key for key, _ in changes)
        rows = []
        for (address, program), change in changes:
            after = found.get((address, program), NOTHING).plus(change)
            rows.append({"address": address, "program": program, **after._asdict()})
        statement = insert_for(self._session)(Account)
        values = {name: statement.excluded[name] for name in Balance._fields}
        self._session.execute(statement.on_conflict_do_update(index_elements=["address", "program"], set_=values), rows)

    def _forget_loaded(self) -> None:
        for loaded in list(self._session.identity_map.values()):
            if isinstance(loaded, Account):
                self._session.expire(loaded)
