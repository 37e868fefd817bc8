"""SQL of customers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from loyalty.customers.models import Consent, Customer, Identifier, IdentifierKind, SeenDevice
from loyalty.kit.paging import page_of


class CustomerRepository:
    """Customers in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Customer | Identifier | Consent) -> None:
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

    def identifier(self, identifier: str) -> Identifier | None:
        """The identifier with this id."""
        return self._session.get(Identifier, identifier, with_for_update=True, populate_existing=True)

    def identifiers_of(self, customer: str) -> Sequence[Identifier]:
        """What the customer is known by, the oldest first."""
        query = select(Identifier).where(Identifier.customer_id == customer, Identifier.removed_at.is_(None))
        return self._session.scalars(query.order_by(Identifier.id)).all()

    def consents_of(self, customer: str) -> Sequence[Consent]:
        """The newest word on each purpose."""
        newest = select(func.max(Consent.id)).where(Consent.customer_id == customer).group_by(Consent.purpose)
        return self._session.scalars(select(Consent).where(Consent.id.in_(newest)).order_by(Consent.purpose)).all()

    def forget_identifiers(self, customer: str) -> None:
        """Deletes all that the customer is or was known by, and where they were seen."""
        self._session.execute(delete(Identifier).where(Identifier.customer_id == customer))
        self._session.execute(delete(SeenDevice).where(SeenDevice.customer_id == customer))

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[Customer], str | None]:
        """Customers, newest first."""
        return page_of(self._session, select(Customer), Customer.id, cursor, limit)
