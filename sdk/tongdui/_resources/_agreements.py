"""Agreements: terms that two merchants sign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tongdui._amounts import Rate, rate_of, whole_number, whole_points
from tongdui._core import Identified, given, name_of, new_key, segment
from tongdui._errors import SigningError, VerificationError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._instructions import ProgramName
from tongdui._models import Agreement
from tongdui._pages import Query, listing
from tongdui._signing import signed
from tongdui.orders import UINT64_MAX

from ._base import Resource

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
        document: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Agreement]:
        """Proposes terms to the other merchant, and signs them: locally if the client has a signer, else by the
        gateway.

        With `target_program` it is an exchange at `rate` target points per source point (`"9/10"`, `(9, 10)`,
        `Fraction(9, 10)`); with `target_merchant` that merchant takes the source points for goods.
        `unit_price_micros` is what the source merchant pays for each target point (exchange) or source point
        (acceptance). `max_points` and `daily_cap` are source points, for one movement and for one day.
        `lifetime_days`: until exchanged points expire, 0 for never. It becomes active when the other side has signed
        too (`sign`). Raises TypeError for a float as rate, AgreementError (`rate_cycle`), VerificationError when the
        gateway wrote down other terms than these.
        """
        if (target_program is None) == (target_merchant is None):
            raise ValueError("give exactly one of target_program (exchange) and target_merchant (acceptance)")
        exact = rate_of(rate)
        body = given(
            kind="exchange" if target_program is not None else "acceptance",
            source_program=_code(source_program),
            target_program=_code(target_program) if target_program is not None else None,
            target_merchant=name_of(target_merchant) if target_merchant is not None else None,
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
            supersedes=name_of(supersedes) if supersedes is not None else None,
            grace_seconds=whole_number(grace_seconds, "grace_seconds", least=0, most=2**32 - 1, unit="seconds"),
            document=document,
        )
        key = idempotency_key or new_key()
        proposal = yield from self._core.post(Agreement, _PATH, body, key=key)
        if self._core.options.signer is None:
            return proposal
        _check_asked({"supersedes": None, **body}, proposal)
        return (yield from self._sign(proposal, f"{key[:245]}:sign", wait))

    @operation
    def sign(
        self,
        agreement: str | Identified,
        *,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Agreement]:
        """Adds your own merchant's signature; when both are there it goes to the chain, and `wait` waits until it is
        active.

        With a local signer the terms are checked first: they must hash to the digest and say what the API shows
        (rate, price, caps, parties, dates, what it supersedes). Raises VerificationError otherwise, and nothing is signed.
        """
        name = name_of(agreement)
        if self._core.options.signer is not None:
            found = yield from self._core.get(Agreement, f"{_PATH}/{segment(name)}")
            return (yield from self._sign(found, idempotency_key, wait))
        return (yield from self._add_signature(name, {}, idempotency_key, wait))

    @operation
    def get(self, agreement: str) -> Flow[Agreement]:
        """One agreement by id. Raises NotFoundError."""
        return (yield from self._core.get(Agreement, f"{_PATH}/{segment(agreement)}"))

    @operation
    def wait(self, agreement: str | Identified, timeout: float = 30.0) -> Flow[Agreement]:
        """The agreement once the chain has it, or as it stands after `timeout` seconds."""
        path = f"{_PATH}/{segment(name_of(agreement))}"
        found = yield from self._core.get(Agreement, path)
        return (yield from self._core.follow(found, path, self._core.now() + timeout))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Agreement]:
        """Your agreements; all of them for an operator or auditor."""
        return Query(_PATH, Agreement, {"limit": page_size})

    def _sign(self, agreement: Agreement, key: str | None, wait: float | None) -> Flow[Agreement]:
        terms = yield from self._book.checked_terms(agreement)
        own = yield from self._book.own_number()
        if own not in {terms.source_merchant, terms.target_merchant}:
            raise SigningError(f"{agreement.id} is between merchants {terms.source_merchant} and "
                               f"{terms.target_merchant}; the signer belongs to merchant {own}")  # fmt: skip
        domain = yield from self._book.domain()
        body = {"signature": signed(self._book.signer, terms.digest(domain))}
        return (yield from self._add_signature(agreement.id, body, key, wait))

    def _add_signature(self, name: str, body: dict[str, Any], key: str | None, wait: float | None) -> Flow[Agreement]:
        path = f"{_PATH}/{segment(name)}"
        return (yield from self._core.post(Agreement, f"{path}/signatures", body, key=key, wait=wait, poll=path))


def _check_asked(asked: dict[str, Any], proposal: Agreement) -> None:
    """Raises VerificationError unless the proposal has every member that was asked for."""
    found = proposal.model_dump()
    for name, value in asked.items():
        if name == "initiators":
            same = set(value) == set(proposal.initiators)
        elif name in {"valid_from", "valid_until"}:
            same = datetime.fromisoformat(value) == found[name]
        elif name == "supersedes" or not isinstance(value, str):
            same = value == found[name]
        else:
            same = value.lower() == str(found[name]).lower()
        if not same:
            raise VerificationError(
                f"proposal.{name}", "the gateway wrote down other terms", expected=value, found=found[name]
            )


def _instant(moment: datetime, field: str) -> str:
    """RFC 3339 in UTC, whole seconds (the chain has no finer ones). Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"{field} has no time zone: {moment!r}; use for example datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _code(program: ProgramName) -> str:
    return program if isinstance(program, str) else str(getattr(program, "code", program.id))


class Agreements(Blocking, _Agreements):
    """`client.agreements`."""


class AsyncAgreements(Awaiting, _Agreements):
    """`client.agreements`, awaited."""
