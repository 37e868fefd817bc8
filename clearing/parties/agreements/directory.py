"""Agreements, in memory and current: every exchange and every spend needs one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from clearing.kit.reference.directory import Directory, rows_of
from clearing.parties.agreements.models import Agreement, AgreementKind, AgreementState, Route
from clearing.parties.agreements.repository import REGISTERED

Sides = tuple[int, int, int]
"""(kind, source program, and the target program of an exchange or the target merchant of an acceptance)."""


class AgreementDirectory:
    """All agreements."""

    def __init__(self, agreements: Iterable[Agreement]) -> None:
        self._by_id = {agreement.id: agreement for agreement in agreements}
        numbered = [agreement for agreement in self._by_id.values() if agreement.number is not None]
        self._by_number = {agreement.number: agreement for agreement in numbered}
        self._registered: dict[Sides, list[Agreement]] = defaultdict(list)
        """By their sides, newest first."""
        for agreement in sorted(numbered, key=lambda agreement: agreement.number or 0, reverse=True):
            if agreement.state in REGISTERED:
                self._registered[_sides_of(agreement)].append(agreement)

    def by_id(self, id: str) -> Agreement | None:  # noqa: A002
        """The agreement with this id."""
        return self._by_id.get(id)

    def by_number(self, number: int) -> Agreement | None:
        """The agreement with this number on the chain."""
        return self._by_number.get(number)

    def usable(self, sides: Sides, at: int) -> Agreement | None:
        """The newest registered agreement between these sides that can be used at Unix time `at`."""
        found = self._registered.get(sides, ())
        return next((agreement for agreement in found if agreement.valid_from <= at < agreement.usable_until), None)

    def usable_at(self, at: int) -> list[Agreement]:
        """Every registered agreement that can be used at Unix time `at`, by number."""
        found = [agreement for sides in self._registered.values() for agreement in sides]
        usable = [agreement for agreement in found if agreement.valid_from <= at < agreement.usable_until]
        return sorted(usable, key=lambda agreement: agreement.number or 0)

    def successor(self, agreement: Agreement, at: int) -> Agreement | None:
        """Another agreement between the same sides that can be used at Unix time `at`."""
        found = self.usable(_sides_of(agreement), at)
        return None if found is None or found.id == agreement.id else found

    def all(self) -> Collection[Agreement]:
        """All of them."""
        return self._by_id.values()

    def proposed(self) -> list[Agreement]:
        """Those that not both have signed."""
        return [agreement for agreement in self._by_id.values() if agreement.state is AgreementState.PROPOSED]

    def partners_of(self, merchant: int) -> list[int]:
        """The numbers of the merchants with whom this one has, or had, an agreement on the chain."""
        sides = {
            (agreement.source_merchant, agreement.target_merchant)
            for agreement in self._by_number.values()
            if agreement.state in REGISTERED
        }
        partners = {other for pair in sides if merchant in pair for other in pair}
        return sorted(partners - {merchant})

    def routes(self, numbers: Collection[int]) -> dict[int, Route]:
        """The sides of these agreements, by number."""
        found = [self._by_number[number] for number in numbers if number in self._by_number]
        return {
            agreement.number or 0: Route(agreement.source_merchant, agreement.target_merchant, agreement.target_program)
            for agreement in found
        }


def agreements_in(session: Session) -> AgreementDirectory:
    """The agreements, as current as the session's transaction."""
    return _AGREEMENTS.of(session)


def _sides_of(agreement: Agreement) -> Sides:
    is_exchange = agreement.kind == AgreementKind.EXCHANGE
    return (
        agreement.kind,
        agreement.source_program,
        agreement.target_program if is_exchange else agreement.target_merchant,
    )


def _load(session: Session) -> AgreementDirectory:
    return AgreementDirectory(rows_of(session, Agreement))


_AGREEMENTS = Directory((Agreement,), _load)
