"""SQL of merchants and their signer keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from clearing.kit.in_list import in_list
from clearing.kit.locks import lock_until_commit
from clearing.kit.paging import newest_first
from clearing.parties.merchants.models import Merchant, SignerKey


class MerchantRepository:
    """Merchants in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, merchant: Merchant, key: SignerKey) -> None:
        """Stores a merchant with its first key."""
        self._session.add(merchant)
        self._session.flush()
        self._session.add(key)
        self._session.flush()

    def by_id(self, id: str) -> Merchant | None:  # noqa: A002
        """The merchant with this id."""
        return self._session.scalar(select(Merchant).where(Merchant.id == id))

    def by_ids(self, ids: Collection[str]) -> Sequence[Merchant]:
        """The merchants with these ids."""
        return self._session.scalars(select(Merchant).where(in_list(self._session, Merchant.id, ids))).all()

    def by_number(self, number: int) -> Merchant | None:
        """The merchant with this number on the chain."""
        return self._session.get(Merchant, number)

    def lock(self, number: int) -> Merchant:
        """The merchant, locked until the transaction ends. Rows that only refer to the merchant (holds) can still be written."""
        query = select(Merchant).where(Merchant.number == number).with_for_update(key_share=True)
        return self._session.scalars(query.execution_options(populate_existing=True)).one()

    def next_nonces(self, numbers: Collection[int], *, lock: bool) -> dict[int, int]:
        """The first nonce of each of these merchants that no order has reserved yet. With `lock`, nobody else can reserve one until
        this transaction ends; always locked in the same order: no deadlocks."""
        query = (
            select(Merchant.number, Merchant.next_nonce)
            .where(in_list(self._session, Merchant.number, numbers))
            .order_by(Merchant.number)
        )
        rows = self._session.execute(query.with_for_update(key_share=True) if lock else query) if numbers else ()
        return {number: nonce for number, nonce in rows}  # noqa: C416 (rows are not pairs to the type checker)

    def set_next_nonces(self, nonces: Mapping[int, int]) -> None:
        """Stores the first free nonce of each of these merchants. Lock them first."""
        change = update(Merchant).where(Merchant.number == bindparam("of")).values(next_nonce=bindparam("nonce"))
        if nonces:
            rows = [{"of": number, "nonce": nonce} for number, nonce in nonces.items()]
            self._session.connection().execute(change, rows)  # past the session: who asks for a nonce reads it anew

    def get_one(self, number: int) -> Merchant:
        """The merchant with this number on chain. Raises NoResultFound where there is none."""
        return self._session.get_one(Merchant, number)

    def named(self, name: str) -> Sequence[Merchant]:
        """The merchants with this name, oldest first."""
        return self._session.scalars(select(Merchant).where(Merchant.name == name).order_by(Merchant.number)).all()

    def known(self, numbers: Collection[int]) -> set[int]:
        """Those of these numbers that a merchant has."""
        return set(self._session.scalars(select(Merchant.number).where(Merchant.number.in_(numbers))))

    def numbers(self) -> Sequence[int]:
        """The numbers of all merchants, in order."""
        return self._session.scalars(select(Merchant.number).order_by(Merchant.number)).all()

    def store(self, merchant: Merchant) -> None:
        """Stores a merchant, new or changed, without a key."""
        self._session.add(merchant)
        self._session.flush()

    def list(self, *, after: str | None, limit: int) -> Sequence[Merchant]:
        """Merchants, newest first."""
        return self._session.scalars(newest_first(select(Merchant), Merchant.id, after, limit)).all()

    def next_number(self) -> int:
        """The number that the chain will expect next. Nobody else can take it until this transaction ends."""
        lock_until_commit(self._session, "merchant numbers")
        return (self._session.scalar(select(func.max(Merchant.number))) or 0) + 1

    # ---------------------------------------------------------------- signer keys

    def key(self, address: str) -> SignerKey | None:
        """The key with this address (lower-case), whichever merchant's it is."""
        return self._session.get(SignerKey, address)

    def get_key(self, address: str) -> SignerKey:
        """The key with this address. Raises NoResultFound where there is none."""
        return self._session.get_one(SignerKey, address)

    def store_key(self, key: SignerKey) -> None:
        """Stores a key, new or changed."""
        self._session.add(key)
        self._session.flush()

    def remove_key(self, key: SignerKey) -> None:
        """Forgets a key."""
        self._session.delete(key)

    def remove_keys(self, number: int) -> None:
        """Forgets all keys of a merchant."""
        self._session.execute(delete(SignerKey).where(SignerKey.merchant_number == number))

    def newest_key(self, number: int, at: int) -> SignerKey | None:
        """The merchant's newest live key."""
        return self._session.scalars(_live(number, at).limit(1)).first()

    def newest_keys(self, numbers: Collection[int], at: int) -> dict[int, SignerKey]:
        """The newest live key of each of these merchants that has one."""
        live = in_list(self._session, SignerKey.merchant_number, numbers), _is_live(at)
        query = select(SignerKey).where(*live).order_by(SignerKey.created_at, SignerKey.address.desc())
        return {key.merchant_number: key for key in self._session.scalars(query)}


def _is_live(at: int) -> ColumnElement[bool]:
    return and_(SignerKey.valid_from <= at, SignerKey.valid_until > at)


def _live(number: int, at: int) -> Select[SignerKey]:
    return (
        select(SignerKey)
        .where(SignerKey.merchant_number == number, _is_live(at))
        .order_by(SignerKey.created_at.desc(), SignerKey.address)
    )
