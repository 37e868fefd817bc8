"""SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Select, bindparam, select, text, tuple_, update
from sqlalchemy.orm import Session

from clearing.kit.database import dialect_of
from clearing.kit.in_list import pairs_in_list
from clearing.kit.sources import Conditions, Walk, first_of
from clearing.kit.upsert import add_rows
from clearing.ledger.accounts.models import NOTHING_DUE, UNDATED, Account

AccountKey = tuple[str, int]
"""(member's address, program number)."""

_MAY_BECOME_DUE = text(f"accounts.due_on < {NOTHING_DUE}")
"""Word for word the condition of the partial index: with a parameter, SQLite would not see that it applies."""
_PLACE = (Account.due_on, Account.program, Account.address)
_SET_DUE_IN_PLACE = text(
    """
    UPDATE accounts SET due_on = found.due_on
    FROM unnest(CAST(:addresses AS varchar[]), CAST(:programs AS integer[]), CAST(:due_on AS integer[]))
        AS found (address, program, due_on)
    WHERE accounts.address = found.address AND accounts.program = found.program AND accounts.due_on <> found.due_on
    """
)


class Balance(NamedTuple):
    """What an account holds, or what is added to it. A tuple, because accounts are read by the hundred."""

    posted: int = 0
    reserved: int = 0
    expiring: int = 0
    due_on: int = UNDATED

    def plus(self, change: Balance) -> Balance:
        """The balance after a change."""
        return Balance(
            self.posted + change.posted,
            self.reserved + change.reserved,
            self.expiring + change.expiring,
            min(self.due_on, change.due_on),
        )


NOTHING = Balance()


class DuePlace(NamedTuple):
    """An account in the order in which the expiry round goes through those that are due, and lists show those that will be."""

    due_on: int
    program: int
    address: str

    @property
    def account(self) -> AccountKey:
        """The account."""
        return self.address, self.program


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
                Account.due_on,
            )
            .where(pairs_in_list(self._session, Account.address, Account.program, set(keys)))
            .order_by(Account.address, Account.program)
        )
        rows = self._session.execute(query.with_for_update(of=Account) if lock else query)
        return {(row[0], row[1]): Balance(row[2], row[3], row[4], row[5]) for row in rows}

    def due(self, day: int, after: DuePlace | None, limit: int) -> list[DuePlace]:
        """The accounts that the expiry round has to look at on this day, in its order, after the one at which it stands."""
        query = select(*_PLACE).where(_MAY_BECOME_DUE, Account.due_on <= day).order_by(*_PLACE).limit(limit)
        if after is not None:
            query = query.where(tuple_(*_PLACE) > tuple_(*after))
        return [DuePlace(*row) for row in self._session.execute(query)]

    def due_within(
        self, days: range, programs: Sequence[int] | None, after: DuePlace | None, limit: int
    ) -> list[DuePlace]:
        """The accounts of these programs (None: of all) that the expiry round has to look at on one of these days, the first day
        first; those after that place. It looks at no others, however many there are: each day of a program is a place in the
        index."""

        def page_of(conditions: Conditions, most: int) -> Select[int, int, str]:
            return select(*_PLACE).where(_MAY_BECOME_DUE, *conditions).order_by(*_PLACE).limit(most)

        if programs is None:
            conditions = [Account.due_on < days.stop]
            is_within = after is not None and after.due_on >= days.start
            # The nearer bound alone, so that the index is used for it.
            conditions.append(tuple_(*_PLACE) > tuple_(*after) if after and is_within else Account.due_on >= days.start)
            return [DuePlace(*row) for row in self._session.execute(page_of(conditions, limit))]
        keys = [(day, program) for day in days for program in sorted(programs)]
        walks = [Walk((Account.due_on, Account.program), [key for key in keys if after is None or key > after[:2]])]
        if after is not None and after[:2] in keys:
            walks.insert(0, Walk((Account.due_on, Account.program), [after[:2]], [Account.address > after.address]))
        return [DuePlace(*row) for row in first_of(self._session, walks, page_of, limit)]

    def set_due(self, days: Mapping[AccountKey, int]) -> None:
        """Notes from which day on the expiry round has to look at each of these accounts again. Lock them first."""
        ordered = [(address, program, day) for (address, program), day in sorted(days.items())]
        if not ordered:
            return
        if dialect_of(self._session) == "postgresql":
            addresses, programs, due_on = (list(column) for column in zip(*ordered, strict=True))
            self._session.execute(_SET_DUE_IN_PLACE, {"addresses": addresses, "programs": programs, "due_on": due_on})
        else:
            mine = (Account.address == bindparam("a"), Account.program == bindparam("p"))
            change = update(Account).where(*mine).values(due_on=bindparam("d"))
            self._session.connection().execute(change, [{"a": a, "p": p, "d": d} for a, p, d in ordered])
        self._forget_loaded()

    def add(self, changes: Mapping[AccountKey, Balance]) -> None:
        """Adds a change to each account; makes the accounts that are not stored yet. Always in the same order: no deadlocks."""
        ordered = sorted(key + change for key, change in changes.items() if change != NOTHING)
        add_rows(self._session, Account, ("address", "program", *Balance._fields), ordered, least=("due_on",))

    def _forget_loaded(self) -> None:
        for loaded in list(self._session.identity_map.values()):
            if isinstance(loaded, Account):
                self._session.expire(loaded)
