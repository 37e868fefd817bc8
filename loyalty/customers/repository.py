"""SQL of customers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Select, delete, func, select, tuple_
from sqlalchemy.orm import Session

from loyalty.customers.models import Address, ChannelName, Consent, Customer, Identifier, IdentifierKind, SeenDevice
from loyalty.kit.database import in_pieces
from loyalty.kit.named import are_one_of, is_one_of
from loyalty.kit.paging import page_of

_NAMED = 500
"""Values that one query names."""


class Standing(NamedTuple):
    """What changes of a customer's own row."""

    tier: str
    tier_grace_until: date | None
    birth_month: int | None
    birth_day: int | None


class CustomerRepository:
    """Customers in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Address | Customer | Identifier | Consent) -> None:
        """Adds a row."""
        self._session.add(row)
        self._session.flush()

    def get(self, customer: str, *, for_update: bool = False) -> Customer | None:
        """The customer with this id, as it is now. Rows of others that name a customer who is held may still be written."""
        held = {"key_share": True} if for_update else None
        return self._session.get(Customer, customer, with_for_update=held, populate_existing=for_update)

    def known_by(self, kind: IdentifierKind, value: str) -> Identifier | None:
        """What is known by this now."""
        query = select(Identifier).where(
            Identifier.kind == kind, Identifier.value == value, Identifier.removed_at.is_(None)
        )
        return self._session.scalars(query).one_or_none()

    def all_known_by(self, shown: Collection[tuple[IdentifierKind, str]]) -> Sequence[Identifier]:
        """What is known by one of these now."""
        found: list[Identifier] = []
        for some in in_pieces(shown, _NAMED):
            is_named = are_one_of(self._session, (Identifier.kind, Identifier.value), some)
            found += self._session.scalars(select(Identifier).where(is_named, Identifier.removed_at.is_(None)))
        return found

    def named(self, customers: Collection[str]) -> Sequence[Customer]:
        """The customers with these ids."""
        return self._session.scalars(select(Customer).where(is_one_of(self._session, Customer.id, customers))).all()

    def hold(self, customers: Collection[str]) -> Sequence[Customer]:
        """The same as they are now, held in the order of their ids."""
        named = select(Customer).where(is_one_of(self._session, Customer.id, customers))
        held = named.order_by(Customer.id).with_for_update(key_share=True)
        return self._session.scalars(held.execution_options(populate_existing=True)).all()

    def kinds_of(self, customers: Collection[str]) -> Sequence[tuple[str, IdentifierKind]]:
        """By what kinds of identifiers customers are known."""
        query = select(Identifier.customer_id, Identifier.kind).where(
            is_one_of(self._session, Identifier.customer_id, customers), Identifier.removed_at.is_(None)
        )
        return [(customer, kind) for customer, kind in self._session.execute(query)]

    def identifier(self, identifier: str) -> Identifier | None:
        """The identifier with this id."""
        return self._session.get(Identifier, identifier, with_for_update=True, populate_existing=True)

    def identifiers_of(self, customer: str) -> Sequence[Identifier]:
        """What the customer is known by, the oldest first."""
        query = select(Identifier).where(Identifier.customer_id == customer, Identifier.removed_at.is_(None))
        return self._session.scalars(query.order_by(Identifier.id)).all()

    def consents_of(self, customers: Collection[str]) -> Sequence[Consent]:
        """The newest word of each customer on each purpose."""
        newest = select(func.max(Consent.id)).where(is_one_of(self._session, Consent.customer_id, customers))
        newest = newest.group_by(Consent.customer_id, Consent.purpose)
        return self._session.scalars(select(Consent).where(Consent.id.in_(newest)).order_by(Consent.purpose)).all()

    def addresses_of(self, customer: str) -> Sequence[Address]:
        """Where the customer is reached, other than by phone."""
        query = select(Address).where(Address.customer_id == customer)
        return self._session.scalars(query.order_by(Address.channel)).all()

    def address(self, customer: str, channel: ChannelName) -> Address | None:
        """Where the customer is reached by a channel."""
        return self._session.get(Address, (customer, channel))

    def forget_address(self, address: Address) -> None:
        """Deletes where a customer is reached by a channel."""
        self._session.delete(address)
        self._session.flush()

    def forget_identifiers(self, customer: str) -> None:
        """Deletes all that the customer is or was known by, where they are reached, and where they were seen."""
        self._session.execute(delete(Identifier).where(Identifier.customer_id == customer))
        self._session.execute(delete(Address).where(Address.customer_id == customer))
        self._session.execute(delete(SeenDevice).where(SeenDevice.customer_id == customer))

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Customer], str | None]:
        """Customers, newest first."""
        return page_of(self._session, select(Customer), Customer.id, cursor, limit)

    def with_birthdays(
        self, birthdays: Collection[tuple[int, int]], after: str | None, limit: int
    ) -> Sequence[Customer]:
        """Some customers with one of these birthdays (month and day), held: those with the next ids."""
        born = tuple_(Customer.birth_month, Customer.birth_day).in_([*birthdays])
        return self._some(select(Customer).where(born), after, limit)

    def some(self, after: str | None, limit: int) -> Sequence[Customer]:
        """Some customers who take part, held: those with the next ids."""
        return self._some(select(Customer), after, limit)

    def _some(self, query: Select[Customer], after: str | None, limit: int) -> Sequence[Customer]:
        query = query.where(Customer.erased_at.is_(None), Customer.id > (after or ""))
        held = query.order_by(Customer.id).limit(limit).with_for_update(key_share=True)
        return self._session.scalars(held.execution_options(populate_existing=True)).all()

    def tiers_after(self, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """The ids and tiers of some customers who take part: those with the next ids."""
        query = select(Customer.id, Customer.tier).where(Customer.id > after, Customer.erased_at.is_(None))
        return [(customer, tier) for customer, tier in self._session.execute(query.order_by(Customer.id).limit(limit))]

    def standing_of(self, customers: Iterable[str]) -> Mapping[str, Standing]:
        """How these customers stand."""
        row = Customer
        query = select(row.id, row.tier, row.tier_grace_until, row.birth_month, row.birth_day)
        return {
            customer: Standing(tier, grace, month, day)
            for some in in_pieces(customers, _NAMED)
            for customer, tier, grace, month, day in self._session.execute(query.where(row.id.in_(some)))
        }

    def shared_kinds(self, customers: tuple[str, str]) -> Sequence[IdentifierKind]:
        """Of which kinds both customers have had the same identifier, now or before."""
        both = func.count(func.distinct(Identifier.customer_id)) > 1
        query = select(Identifier.kind).where(Identifier.customer_id.in_(customers))
        return self._session.scalars(query.group_by(Identifier.kind, Identifier.value).having(both)).all()

    def see(self, customer: str, device: bytes) -> None:
        """Notes on which device a customer is; again is harmless."""
        if self._session.get(SeenDevice, (device, customer)) is None:
            self._session.add(SeenDevice(device=device, customer_id=customer))
            self._session.flush()

    def somebody_else_on(self, device: bytes, customer: str) -> bool:
        """Whether another customer was seen on this device."""
        query = select(SeenDevice.customer_id).where(SeenDevice.device == device, SeenDevice.customer_id != customer)
        return self._session.scalar(query.limit(1)) is not None

    def share_a_device(self, customers: tuple[str, str]) -> bool:
        """Whether both customers were seen on one device."""
        query = select(SeenDevice.device).where(SeenDevice.customer_id.in_(customers)).group_by(SeenDevice.device)
        return self._session.scalar(query.having(func.count() > 1).limit(1)) is not None
