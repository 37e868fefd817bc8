"""Agreements: terms that two merchants sign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tongdui._amounts import Rate, rate_of, whole_number, whole_points
from tongdui._errors import SigningError, VerificationError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, new_key, optional_name_of, segment
from tongdui._instruction import ProgramName, code_of
from tongdui._models import Agreement
from tongdui._pagination import Query, listing
from tongdui._resource import Resource
from tongdui._signing import signed
from tongdui.orders import UINT64_MAX

_PATH = "/v1/agreements"


class _Agreements(Resource):
    @operation
    def propose(
        self,
        *,
        source_program: ProgramName,
        target_program: ProgramName | None = None,
        target_merchant: str | Identified | None = None,
        rate: Rate = 1,
        unit_price_micros: int,
        max_points: int,
        daily_cap: int,
        valid_until: datetime,
        valid_from: datetime | None = None,
        fee_bps: int = 0,
        lifetime_days: int = 0,
        initiators: Sequence[str] = ("source",),
        supersedes: str | Identified | None = None,
        grace_seconds: int = 0,
        accept_by: datetime | None = None,
        keep_expiry: bool = False,
        document: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Agreement]:
        """Propose terms to another merchant and sign them, on this machine if the client has a signer.

        The agreement becomes active when the other merchant has signed too (`sign`).

        Args:
            source_program: The program whose points the member gives.
            target_program: For an exchange: the program whose points the member gets.
            target_merchant: For an acceptance: the merchant that takes the source points for goods.
            rate: Target points for one source point of an exchange: `"9/10"`, `(9, 10)` or `Fraction(9, 10)`.
            unit_price_micros: What the source merchant pays for each target point of an exchange, or for each source
                point of an acceptance.
            max_points: The most source points of one movement.
            daily_cap: The most source points of one day.
            valid_until: When the agreement ends.
            valid_from: When it begins. By default at once: the gateway takes a moment that the chain has reached.
            fee_bps: The operator's fee, in basis points.
            lifetime_days: Days until exchanged points expire; 0 for never.
            initiators: Who may start a movement: `source`, `target` or both.
            supersedes: The agreement that this one replaces.
            grace_seconds: How long the replaced agreement may still be used, so that quotes keep their promise.
            accept_by: When the signatures become worthless if the chain has not registered the agreement by then. By
                default never.
            keep_expiry: For an exchange: whether the points that the member gets expire when those given would have, if
                that is earlier than `lifetime_days` from the exchange.
            document: Hash of the contract on paper. By default the gateway decides.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.

        Returns:
            The proposed agreement.

        Raises:
            TypeError: The rate is a float, which is not exact.
            AgreementError: The agreement would open a cycle of exchanges that makes points (`rate_cycle`).
            VerificationError: The gateway recorded other terms than these.
        """
        if (target_program is None) == (target_merchant is None):
            raise ValueError("give exactly one of target_program (exchange) and target_merchant (acceptance)")
        exact = rate_of(rate)
        body = given(
            kind="exchange" if target_program is not None else "acceptance",
            source_program=code_of(source_program),
            target_program=code_of(target_program) if target_program is not None else None,
            target_merchant=optional_name_of(target_merchant),
            rate_num=exact.numerator,
            rate_den=exact.denominator,
            unit_price_micros=whole_number(
                unit_price_micros, "unit_price_micros", least=0, most=UINT64_MAX, unit="micros"
            ),
            fee_bps=whole_number(fee_bps, "fee_bps", least=0, most=10_000, unit="basis points"),
            lifetime_days=whole_number(lifetime_days, "lifetime_days", least=0, most=65_535, unit="days"),
            max_points=whole_points(max_points, "max_points"),
            daily_cap=whole_points(daily_cap, "daily_cap"),
            initiators=list(initiators),
            valid_from=_instant(valid_from, "valid_from") if valid_from is not None else None,
            valid_until=_instant(valid_until, "valid_until"),
            supersedes=optional_name_of(supersedes),
            grace_seconds=whole_number(grace_seconds, "grace_seconds", least=0, most=2**32 - 1, unit="seconds"),
            accept_by=_instant(accept_by, "accept_by") if accept_by is not None else None,
            keep_expiry=keep_expiry,
            document=document,
        )
        key = idempotency_key or new_key()
        proposal = yield from self._gateway.post(Agreement, _PATH, body, key=key)
        if self._gateway.options.signer is None:
            return proposal
        _check_proposal({"supersedes": None, "accept_by": None, **body}, proposal)
        return (yield from self._sign(proposal, f"{key[:245]}:sign", wait))

    @operation
    def sign(
        self,
        agreement: str | Identified,
        *,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Agreement]:
        """Add your own merchant's signature. With both signatures the agreement goes to the chain.

        A client with a signer checks the terms first: they must hash to the digest and say what the API shows (rate,
        price, caps, parties, dates, the agreement that they supersede).

        Args:
            agreement: The agreement, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the agreement is active.

        Returns:
            The agreement.

        Raises:
            VerificationError: The terms say something else; nothing was signed.
            SigningError: The signer's merchant is not a party to the agreement.
        """
        name = name_of(agreement)
        if self._gateway.options.signer is not None:
            found = yield from self._gateway.get(Agreement, f"{_PATH}/{segment(name)}")
            return (yield from self._sign(found, idempotency_key, wait))
        return (yield from self._add_signature(name, {}, idempotency_key, wait))

    @operation
    def get(self, agreement: str) -> Flow[Agreement]:
        """Fetch one agreement by its id. Raises NotFoundError."""
        return (yield from self._gateway.get(Agreement, f"{_PATH}/{segment(agreement)}"))

    @operation
    def wait(self, agreement: str | Identified, timeout: float = 30.0) -> Flow[Agreement]:
        """Wait until the chain has registered an agreement.

        Args:
            agreement: The agreement, or its id.
            timeout: Seconds to wait at most.

        Returns:
            The agreement: as the chain has it, or as it was when the time was up.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        path = f"{_PATH}/{segment(name_of(agreement))}"
        found = yield from self._gateway.get(Agreement, path)
        return (yield from self._gateway.follow(found, path, self._gateway.now() + timeout))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Agreement]:
        """List your agreements, or all of them for an operator or auditor, `page_size` at a time."""
        return Query(_PATH, Agreement, {"limit": page_size})

    def _sign(self, agreement: Agreement, key: str | None, wait: float | None) -> Flow[Agreement]:
        terms = yield from self._directory.checked_terms(agreement)
        own = yield from self._directory.own_number()
        if own not in {terms.source_merchant, terms.target_merchant}:
            raise SigningError(f"{agreement.id} is between merchants {terms.source_merchant} and "
                               f"{terms.target_merchant}; the signer belongs to merchant {own}")  # fmt: skip
        domain = yield from self._directory.domain()
        body = {"signature": signed(self._directory.signer, terms.digest(domain))}
        return (yield from self._add_signature(agreement.id, body, key, wait))

    def _add_signature(self, name: str, body: dict[str, Any], key: str | None, wait: float | None) -> Flow[Agreement]:
        path = f"{_PATH}/{segment(name)}"
        return (yield from self._gateway.post(Agreement, f"{path}/signatures", body, key=key, wait=wait, poll=path))


def _check_proposal(asked: dict[str, Any], proposal: Agreement) -> None:
    """Raise VerificationError unless the gateway recorded what was proposed."""
    found = proposal.model_dump()
    for name, value in asked.items():
        if name == "initiators":
            same = set(value) == set(proposal.initiators)
        elif name == "supersedes" or not isinstance(value, str):
            same = value == found[name]
        elif name in {"valid_from", "valid_until", "accept_by"}:
            same = datetime.fromisoformat(value) == found[name]
        else:
            same = value.lower() == str(found[name]).lower()
        if not same:
            raise VerificationError(
                f"proposal.{name}", "the gateway recorded other terms", expected=value, found=found[name]
            )


def _instant(moment: datetime, field: str) -> str:
    """Write a moment as RFC 3339 in UTC, in whole seconds as on the chain. Raises ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{field} has no time zone: {moment!r}; use for example datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


class Agreements(Blocking, _Agreements):
    """Agreements: terms that two merchants sign."""


class AsyncAgreements(Awaiting, _Agreements):
    """Agreements: terms that two merchants sign. Its methods are awaited."""
