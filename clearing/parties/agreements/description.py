"""An agreement as the API and the events show it, whole: built in one place, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import instant
from clearing.parties.agreements.cycles import Exchange
from clearing.parties.agreements.models import Agreement, AgreementKind, Initiator
from clearing.parties.agreements.renewal import by_source, renewing_cycle
from clearing.parties.agreements.repository import IN_FORCE, AgreementRepository

_SIDES = {"source": Initiator.SOURCE, "target": Initiator.TARGET}


class Naming(Protocol):
    """Ids and codes for the chain's numbers (`clearing.parties.names.Names`)."""

    def merchant(self, number: int) -> str:
        """A merchant's id."""
        ...

    def program(self, number: int) -> str:
        """A program's code."""
        ...

    def agreement(self, number: int) -> str | None:
        """An agreement's id; None for number 0, which stands for no agreement."""
        ...


class AgreementDescriptions:
    """Descriptions of agreements in one session, as they are now."""

    def __init__(self, session: Session, names: Naming) -> None:
        self._names = names
        self._at = clock_of(session).unix()
        self._agreements = AgreementRepository(session)

    def of(self, agreement: Agreement) -> dict[str, Any]:
        """Everything about an agreement."""
        terms, names = agreement.terms, self._names
        signatures = {"source": agreement.source_signature, "target": agreement.target_signature}
        plain = ("rate_num", "rate_den", "unit_price_micros", "fee_bps", "lifetime_days", "max_points", "daily_cap")
        return {
            "id": agreement.id,
            "number": agreement.number,
            "kind": AgreementKind(agreement.kind).name.lower(),
            "state": agreement.state_at(self._at),
            "proposed_by": _side_of(agreement, agreement.proposer),
            "source_merchant": names.merchant(terms.source_merchant),
            "target_merchant": names.merchant(terms.target_merchant),
            "source_program": names.program(terms.source_program),
            "target_program": names.program(terms.target_program) if terms.target_program else None,
            **{name: getattr(terms, name) for name in plain},
            "initiators": [side for side, bit in _SIDES.items() if terms.initiators & bit],
            "valid_from": instant(terms.valid_from),
            "valid_until": instant(terms.valid_until),
            "ends_at": instant(agreement.ends_at),
            "terminates_at": None if agreement.terminates_at is None else instant(agreement.terminates_at),
            "supersedes": names.agreement(terms.supersedes),
            "superseded_by": names.agreement(agreement.superseded_by or 0),
            "grace_seconds": terms.grace_seconds,
            "accept_by": instant(terms.accept_by) if terms.accept_by else None,
            "keep_expiry": terms.keep_expiry,
            "document": terms.document,
            "terms": asdict(terms),
            "digest": agreement.digest,
            "signed_by": [side for side, signature in signatures.items() if signature is not None],
            "reason": agreement.reason,
            "warnings": self._warnings(agreement),
            "created_at": agreement.created_at,
        }

    def _warnings(self, agreement: Agreement) -> list[dict[str, Any]]:
        """What the merchants of an agreement that is or may come into force should know."""
        may_be_used = agreement.state_at(self._at) in IN_FORCE and agreement.usable_until > self._at
        if agreement.kind != AgreementKind.EXCHANGE or not may_be_used:
            return []
        cycle = renewing_cycle(self._exchanges, Exchange.under(agreement.terms))
        return [self._renewal_warning(cycle)] if cycle is not None else []

    @cached_property
    def _exchanges(self) -> Mapping[int, Sequence[Exchange]]:
        return by_source(Exchange.under(signed.terms) for signed in self._agreements.exchanges_after(self._at))

    def _renewal_warning(self, cycle: tuple[int, ...]) -> dict[str, Any]:
        return renewal_warning([self._names.program(number) for number in cycle])


def renewal_warning(path: Sequence[str]) -> dict[str, Any]:
    """Warns of points that come back with a later expiry. `path` has the codes of the programs on their way."""
    detail = (
        f"points that go {' → '.join(path)} come back with a later expiry: "
        "if you do not want that, let every agreement on the way keep the expiry (keep_expiry)"
    )
    return {"code": "expiry_renewal", "detail": detail, "path": list(path)}


def _side_of(agreement: Agreement, merchant_number: int | None) -> str | None:
    """The side on which a merchant is; the source for one that is on both."""
    if merchant_number == agreement.source_merchant:
        return "source"
    return "target" if merchant_number == agreement.target_merchant else None
