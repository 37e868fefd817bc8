"""Rules of customers: a card is one customer's at a time, the newest word on a purpose counts, and who leaves is forgotten."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.customers.identifiers import canonical
from loyalty.customers.models import Address, ChannelName, Consent, Customer, Identifier, IdentifierKind
from loyalty.customers.repository import CustomerRepository, Standing
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Malformed, Unknown
from loyalty.kit.ids import new_id
from loyalty.network.debts import DebtService
from loyalty.network.members import MemberService

_LEAP_YEAR: Final = 2000
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ADDRESS: Final = re.compile(r"[^\s\x00-\x1f]{1,200}")


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody showed at a till, or a device saw."""

    kind: IdentifierKind
    value: str


class CustomerService:
    """Customers in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._customers = CustomerRepository(session)
        self._members = MemberService(session)
        self._debts = DebtService(session)
        self._log = AuditLog(session)

    # ---------------------------------------------------------------- joining and leaving

    def add(self, shown: Sequence[Shown], birthday: tuple[int, int] | None, *, actor: str) -> Customer:
        """Has somebody take part. The network hears of the new member before the first points."""
        month, day = birthday or (None, None)
        if birthday is not None:
            _check_birthday(birthday, "/birthday/day")
        customer = Customer(id=new_id("cus"), birth_month=month, birth_day=day, tier_grace_until=None, erased_at=None)
        self._customers.add(customer)
        for at, one in enumerate(shown):
            self._link(customer, one, f"/identifiers/{at}/value")
        self._members.register(customer.id)
        self._log.note(actor, "customer.added", customer.id, after={"kinds": [one.kind.value for one in shown]})
        return customer

    def set_birthday(self, customer_id: str, birthday: tuple[int, int], *, actor: str) -> Customer:
        """Notes a birthday. Another one than was noted is refused: gifts depend on it. Doing it again is harmless."""
        _check_birthday(birthday, "/day")
        customer = self.living(customer_id)
        if customer.birth_month is not None and (customer.birth_month, customer.birth_day) != birthday:
            raise Contradiction("birthday_set", f"{customer_id} has told another birthday already", pointer="/month")
        if customer.birth_month is None:
            customer.birth_month, customer.birth_day = birthday
            self._session.flush()
            self._log.note(actor, "birthday.noted", customer.id)
        return customer

    def erase(self, customer_id: str, *, actor: str, reason: str) -> Customer:
        """Forgets who a customer was. Sales and points stay, as somebody's whom nobody knows any more."""
        customer = self.get(customer_id, for_update=True)
        if customer.erased_at is None:
            self._customers.forget_identifiers(customer.id)
            customer.birth_month = customer.birth_day = None
            customer.erased_at = clock_of(self._session).now()
            self._members.erase(customer.id)
            self._debts.write_off_all(customer.id, actor=actor, reason=reason)
            self._log.note(actor, "customer.erased", customer.id, reason=reason)
        return customer

    # ---------------------------------------------------------------- cards, phones, plates

    def link(self, customer_id: str, shown: Shown, *, actor: str) -> Identifier:
        """Lets a customer be known by one more card, phone or plate. Doing it again is harmless."""
        customer = self.living(customer_id)
        identifier, is_new = self._link(customer, shown, "/value")
        if is_new:
            self._log.note(
                actor, "identifier.added", customer.id, after={"kind": shown.kind.value, "id": identifier.id}
            )
        return identifier

    def unlink(self, customer_id: str, identifier_id: str, *, actor: str, reason: str) -> Identifier:
        """Takes a card, a phone or a plate from a customer. It may be another one's then."""
        identifier = self._customers.identifier(identifier_id)
        if identifier is None or identifier.customer_id != customer_id:
            raise Unknown("unknown_identifier", f"{customer_id} has no identifier {identifier_id}")
        if identifier.removed_at is None:
            identifier.removed_at = clock_of(self._session).now()
            before = {"kind": identifier.kind.value, "id": identifier.id}
            self._log.note(actor, "identifier.removed", customer_id, reason=reason, before=before)
        return identifier

    def known_by(self, shown: Shown, pointer: str = "/value") -> str | None:
        """The id of the customer who is known by this, or None."""
        found = self.identifier_of(shown, pointer)
        return None if found is None else found.customer_id

    def identifier_of(self, shown: Shown, pointer: str = "/value") -> Identifier | None:
        """The card, phone or plate that was shown, if it is a customer's."""
        return self._customers.known_by(shown.kind, canonical(shown.kind, shown.value, pointer))

    def find(self, customer_id: str | None, shown: Shown | None, pointer: str = "/shown/value") -> str | None:
        """The id of the customer who is named, or else known by what was shown; None if there is neither."""
        if customer_id is not None or shown is None:
            return customer_id
        return self.known_by(shown, pointer)

    def check(self, shown: Shown, pointer: str) -> None:
        """Raises Malformed if it cannot be an identifier."""
        canonical(shown.kind, shown.value, pointer)

    def find_all(self, shown: Collection[Shown]) -> dict[Shown, str]:
        """The ids of the customers who are known by these. What cannot be an identifier is nobody's."""
        forms: dict[Shown, tuple[IdentifierKind, str]] = {}
        for one in shown:
            with suppress(Malformed):
                forms[one] = one.kind, canonical(one.kind, one.value)
        known = {(one.kind, one.value): one.customer_id for one in self._customers.all_known_by({*forms.values()})}
        return {one: known[form] for one, form in forms.items() if form in known}

    def _link(self, customer: Customer, shown: Shown, pointer: str) -> tuple[Identifier, bool]:
        value = canonical(shown.kind, shown.value, pointer)
        lock(self._session, f"identifier:{shown.kind}:{value}")
        known = self._customers.known_by(shown.kind, value)
        if known is not None:
            if known.customer_id != customer.id:
                detail = f"this {shown.kind} is another customer's: take it from that one first"
                raise Contradiction("identifier_taken", detail, pointer=pointer)
            return known, False
        identifier = Identifier(
            id=new_id("idt"), customer_id=customer.id, kind=shown.kind, value=value, removed_at=None
        )
        self._customers.add(identifier)
        return identifier, True

    # ---------------------------------------------------------------- how they are told something

    def speak(self, customer_id: str, language: str, *, actor: str) -> Customer:
        """Has a customer be told things in a language, `en` or `zh`."""
        customer = self.living(customer_id)
        if customer.language != language:
            before = {"language": customer.language}
            customer.language = language
            self._session.flush()
            self._log.note(actor, "language.changed", customer.id, before=before, after={"language": language})
        return customer

    def reach(self, customer_id: str, channel: ChannelName, value: str, *, actor: str) -> Address:
        """Notes where a customer is reached by a channel, in the place of what was noted before."""
        customer = self.living(customer_id)
        _check_address(channel, value)
        address = self._customers.address(customer.id, channel)
        if address is None:
            address = Address(customer_id=customer.id, channel=channel, value=value)
            self._customers.add(address)
        elif address.value == value:
            return address
        else:
            address.value, address.added_at = value, clock_of(self._session).now()
            self._session.flush()
        self._log.note(actor, "address.noted", customer.id, after={"channel": channel.value})
        return address

    def reach_no_more(self, customer_id: str, channel: ChannelName, *, actor: str, reason: str) -> Address:
        """Forgets where a customer is reached by a channel."""
        customer = self.living(customer_id)
        address = self._customers.address(customer.id, channel)
        if address is None:
            raise Unknown("unknown_address", f"{customer_id} has no address for {channel}")
        self._customers.forget_address(address)
        self._log.note(actor, "address.forgotten", customer.id, reason=reason, before={"channel": channel.value})
        return address

    def addresses_of(self, customer: Customer) -> Sequence[Address]:
        """Where the customer is reached, other than by phone."""
        return self._customers.addresses_of(customer.id)

    # ---------------------------------------------------------------- consents

    def consent(self, customer_id: str, *, purpose: str, text_version: str, is_given: bool, actor: str) -> Consent:
        """Notes what a customer agrees to, or no longer does."""
        customer = self.living(customer_id)
        consent = Consent(
            id=new_id("cns"), customer_id=customer.id, purpose=purpose, text_version=text_version, is_given=is_given
        )
        self._customers.add(consent)
        after = {"purpose": purpose, "text_version": text_version, "is_given": is_given}
        self._log.note(actor, "consent.noted", customer.id, after=after)
        return consent

    # ---------------------------------------------------------------- looking

    def get(self, customer_id: str, *, for_update: bool = False, pointer: str = "") -> Customer:
        """The customer with this id. Raises Unknown."""
        customer = self._customers.get(customer_id, for_update=for_update)
        if customer is None:
            raise Unknown("unknown_customer", f"there is no customer {customer_id}", pointer=pointer)
        return customer

    def identifiers_of(self, customer: Customer) -> Sequence[Identifier]:
        """What the customer is known by."""
        return self._customers.identifiers_of(customer.id)

    def consents_of(self, customer: Customer) -> Sequence[Consent]:
        """The newest word on each purpose."""
        return self._customers.consents_of([customer.id])

    def kinds_of(self, customers: Collection[str]) -> Sequence[tuple[str, IdentifierKind]]:
        """By what kinds of identifiers customers are known."""
        return self._customers.kinds_of(customers)

    def purposes_of(self, customers: Collection[str]) -> Sequence[tuple[str, str]]:
        """To what customers agree: customer and purpose."""
        return [(one.customer_id, one.purpose) for one in self._customers.consents_of(customers) if one.is_given]

    def named(self, customers: Collection[str]) -> Sequence[Customer]:
        """The customers with these ids, those that there are."""
        return self._customers.named(customers)

    def hold(self, customers: Collection[str]) -> Sequence[Customer]:
        """The same as they are now, held in the order of their ids."""
        return self._customers.hold(customers)

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[Customer], str | None]:
        """Customers, newest first."""
        return self._customers.page(cursor, limit)

    def some(self, after: str | None, limit: int) -> Sequence[Customer]:
        """Some customers who take part, held: those with the next ids."""
        return self._customers.some(after, limit)

    def with_birthdays(
        self, birthdays: Collection[tuple[int, int]], after: str | None, limit: int
    ) -> Sequence[Customer]:
        """Some customers with one of these birthdays (month and day), held: those with the next ids."""
        return self._customers.with_birthdays(birthdays, after, limit)

    def tiers_after(self, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """The ids and tiers of some customers who take part: those with the next ids."""
        return self._customers.tiers_after(after, limit)

    def standing_of(self, customers: Iterable[str]) -> Mapping[str, Standing]:
        """How these customers stand."""
        return self._customers.standing_of(customers)

    # ---------------------------------------------------------------- who may be the same person

    def see(self, customer: Customer, device: str) -> None:
        """Notes on which device a customer is. A hash of what it calls itself is kept."""
        self._customers.see(customer.id, _hash(device))

    def shared_kind(self, one: Customer, other: Customer) -> IdentifierKind | None:
        """Of which kind both have had the same identifier, now or before."""
        return next(iter(self._customers.shared_kinds((one.id, other.id))), None)

    def somebody_else_on(self, device: str, customer: Customer) -> bool:
        """Whether another customer was seen on this device."""
        return self._customers.somebody_else_on(_hash(device), customer.id)

    def share_a_device(self, one: Customer, other: Customer) -> bool:
        """Whether both were seen on one device."""
        return self._customers.share_a_device((one.id, other.id))

    def living(self, customer_id: str, pointer: str = "") -> Customer:
        """The customer with this id, held. Raises Unknown, and Contradiction if the customer was erased."""
        customer = self.get(customer_id, for_update=True, pointer=pointer)
        if customer.erased_at is not None:
            raise Contradiction("customer_erased", f"{customer_id} was erased", pointer=pointer)
        return customer


def _check_birthday(birthday: tuple[int, int], pointer: str) -> None:
    month, day = birthday
    if day > monthrange(_LEAP_YEAR, month)[1]:
        raise Malformed("bad_birthday", f"month {month} has no day {day}", pointer=pointer)


def _check_address(channel: ChannelName, value: str) -> None:
    if channel is ChannelName.SMS:
        detail = "messages by sms go to the customer's phone: add the phone as an identifier"
        raise Malformed("bad_address", detail, pointer="/channel")
    if not _ADDRESS.fullmatch(value):
        raise Malformed("bad_address", "an address has 1 to 200 characters and no space", pointer="/value")
    if channel is ChannelName.MAIL and not _MAIL.fullmatch(value):
        raise Malformed("bad_address", "an address for mail is such as lin.lan@mail.example", pointer="/value")


def _hash(device: str) -> bytes:
    return sha256(device.encode()).digest()
