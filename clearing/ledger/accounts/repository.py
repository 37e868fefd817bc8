"""SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.in_list import pairs_in_list
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.models import Account

AccountKey = tuple[str, int]
"""(member's address, program number)."""

_Change = tuple[str, int, int, int]
"""Address, program, and what to add to posted and to reserved."""

_ADD_IN_PLACE = text(
    """
    INSERT INTO accounts (address, program, posted, reserved)
    SELECT * FROM unnest(
        CAST(:addresses AS varchar[]), CAST(:programs AS integer[]),
        CAST(:posted AS numeric[]), CAST(:reserved AS numeric[])
    )
    ON CONFLICT (address, program) DO UPDATE SET
        posted = accounts.posted + excluded.posted, reserved = accounts.reserved + excluded.reserved
    """
)


class Balance(NamedTuple):
    """What an account has, as `Account` says it: these are read by the hundred."""

    posted: int
    reserved: int

    @property
    def available(self) -> int:
        """Points that a new order may use."""
        return self.posted - self.reserved


class AccountRepository:
    """Accounts in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, address: str, program: int) -> Account:
        """The account; an empty one (not stored) where the member never had points in the program."""
        found = self._session.get(Account, (address, program))
        return found or Account(address=address, program=program, posted=0, reserved=0)

    def of_member(self, address: str) -> list[Account]:
        """The member's accounts, by program."""
        query = select(Account).where(Account.address == address).order_by(Account.program)
        return list(self._session.scalars(query))

    def lock(self, keys: Iterable[AccountKey]) -> dict[AccountKey, Balance]:
        """The stored accounts among `keys`, locked until the transaction ends. Always in the same order: no deadlocks."""
        query = (
            select(Account.address, Account.program, Account.posted, Account.reserved)
            .where(pairs_in_list(self._session, Account.address, Account.program, set(keys)))
            .order_by(Account.address, Account.program)
            .with_for_update(of=Account)
        )
        rows = self._session.execute(query)
        return {(address, program): Balance(posted, reserved) for address, program, posted, reserved in rows}

    def shift(self, deltas: dict[AccountKey, tuple[int, int]]) -> None:
        """Adds (posted, reserved) to each account; makes the ones that are not stored yet."""
        changes = [(*key, *delta) for key, delta in sorted(deltas.items()) if delta != (0, 0)]
        if not changes:
            return
        if dialect_of(self._session) == "postgresql":
            self._add_in_place(changes)
        else:
            self._read_and_write(changes)
        self._forget_loaded()

    def _add_in_place(self, changes: list[_Change]) -> None:
        """One statement for all of them. The rows are locked in the order of `changes`, like everywhere: no deadlocks."""
        columns = [list(column) for column in zip(*changes, strict=True)]
        names = ("addresses", "programs", "posted", "reserved")
        self._session.execute(_ADD_IN_PLACE, dict(zip(names, columns, strict=True)))

    def _read_and_write(self, changes: list[_Change]) -> None:
        """SQLite keeps our big numbers as text, so Python adds them; there is one writer at a time anyway."""
        found = self.lock((address, program) for address, program, _, _ in changes)
        rows = []
        for address, program, posted, reserved in changes:
            before = found.get((address, program), Balance(0, 0))
            after = {"posted": before.posted + posted, "reserved": before.reserved + reserved}
            rows.append({"address": address, "program": program, **after})
        statement = insert_for(self._session)(Account)
        values = {"posted": statement.excluded.posted, "reserved": statement.excluded.reserved}
        self._session.execute(statement.on_conflict_do_update(index_elements=["address", "program"], set_=values), rows)

    def _forget_loaded(self) -> None:
        for loaded in list(self._session.identity_map.values()):
            if isinstance(loaded, Account):
                self._session.expire(loaded)
