"""SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.orm import Session

from .models import Account

AccountKey = tuple[str, int]
"""(member's address, program number)."""

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
        changes = {key: delta for key, delta in deltas.items() if delta != (0, 0)}
        found = self.lock(changes)
        updates = []
        inserts = []
        for key, (posted, reserved) in sorted(changes.items()):
            account = found.get(key)
            row = {"address": key[0], "program": key[1], "posted": posted, "reserved": reserved}
            if account is None:
                inserts.append(row)
            else:
                row |= {"posted": account.posted + posted, "reserved": account.reserved + reserved}
                updates.append(row)
        if inserts:
            self._session.execute(insert(Account), inserts)
        if updates:
            self._session.execute(update(Account), updates)
