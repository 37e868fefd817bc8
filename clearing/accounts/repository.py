"""SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from ..database import dialect_of
from .models import Account

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

_CHUNK = 400
"""Keys a query: SQLite allows 32,766 parameters, and long lists do not pay."""


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

    def lock(self, keys: Iterable[AccountKey]) -> dict[AccountKey, Account]:
        """The stored accounts among `keys`, locked until the transaction ends. Always in the same order: no deadlocks."""
        ordered = sorted(set(keys))
        found: dict[AccountKey, Account] = {}
        for start in range(0, len(ordered), _CHUNK):
            query = (
                select(Account)
                .where(tuple_(Account.address, Account.program).in_(ordered[start : start + _CHUNK]))
                .order_by(Account.address, Account.program)
                .with_for_update()
                .execution_options(populate_existing=True)
            )
            found |= {(account.address, account.program): account for account in self._session.scalars(query)}
        return found

    def shift(self, deltas: dict[AccountKey, tuple[int, int]]) -> None:
        """Adds (posted, reserved) to each account; makes the ones that are not stored yet."""
        changes = [(*key, *delta) for key, delta in sorted(deltas.items()) if delta != (0, 0)]
        if not changes:
            return
        if dialect_of(self._session) == "postgresql":
            self._add_in_place(changes)
        else:
            self._read_and_write(changes)

    def _add_in_place(self, changes: list[_Change]) -> None:
        """One statement for all of them. The rows are locked in the order of `changes`, like everywhere: no deadlocks."""
        columns = [list(column) for column in zip(*changes, strict=True)]
        names = ("addresses", "programs", "posted", "reserved")
        self._session.execute(_ADD_IN_PLACE, dict(zip(names, columns, strict=True)))
        for loaded in list(self._session.identity_map.values()):
            if isinstance(loaded, Account):
                self._session.expire(loaded)

    def _read_and_write(self, changes: list[_Change]) -> None:
        """SQLite keeps our big numbers as text, so Python adds them; there is one writer at a time anyway."""
        found = self.lock((address, program) for address, program, _, _ in changes)
        for address, program, posted, reserved in changes:
            account = found.get((address, program))
            if account is None:
                account = Account(address=address, program=program, posted=0, reserved=0)
                self._session.add(account)
            account.posted += posted
            account.reserved += reserved
        self._session.flush()
