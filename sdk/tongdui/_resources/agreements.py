"""Agreements: terms that two merchants sign."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from tongdui._amounts import Rate, rate_of, whole_number, whole_points
from tongdui._errors import SigningError, VerificationError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, expanding, given, name_of, new_key, optional_name_of, segment
from tongdui._instruction import ProgramName, code_of
from tongdui._models import Agreement
from tongdui._pagination import Query, listing
from tongdui._rates import AgreementPreview, AgreementUse, Rates
from tongdui._resource import Resource
from tongdui._signing import signed
from tongdui.orders import UINT64_MAX, termination_digest

_PATH = "/v1/agreements"
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


class TermChanges(TypedDict, total=False):
    """The terms of an agreement that a new version of it may change, as `propose` takes them."""

    rate: Rate
    unit_price_micros: int
    max_points: int
    daily_cap: int
    valid_from: datetime | None
    valid_until: datetime
    fee_bps: int
    lifetime_days: int
    initiators: Sequence[str]
    accept_by: datetime | None
    keep_expiry: bool
    document: str | None


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
                default the gateway decides: 30 days from now, or `valid_until` if that is earlier.
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
        body = _sides(source_program, target_program, target_merchant)
        body |= given(supersedes=optional_name_of(supersedes), grace_seconds=_grace(grace_seconds))
        body |= _written(
            rate=rate,
            unit_price_micros=unit_price_micros,
            fee_bps=fee_bps,
            lifetime_days=lifetime_days,
            max_points=max_points,
            daily_cap=daily_cap,
            initiators=initiators,
            valid_from=valid_from,
            valid_until=valid_until,
            accept_by=accept_by,
            keep_expiry=keep_expiry,
            document=document,
        )
        return (yield from self._propose(body, idempotency_key, wait))

    @operation
    def preview(
        self,
        *,
        source_program: ProgramName,
        target_program: ProgramName | None = None,
        target_merchant: str | Identified | None = None,
        points: int = 1_000,
        supersedes: str | Identified | None = None,
        **terms: Unpack[TermChanges],
    ) -> Flow[AgreementPreview]:
        """Ask what terms would mean, without proposing them: what points become and cost, and the cycle that they would close.

        Args:
            source_program: The program whose points the member gives.
            target_program: For an exchange: the program whose points the member gets.
            target_merchant: For an acceptance: the merchant that takes the source points for goods.
            points: Source points of an imagined movement.
            supersedes: The agreement that this one would replace.
            terms: The other terms, as `propose` takes them; `unit_price_micros` is needed.

        Returns:
            What the terms would mean.

        Raises:
            UnprocessableError: Such terms cannot be proposed; `errors` says which.
        """
        body = _sides(source_program, target_program, target_merchant) | _written(**terms)
        body |= given(points=whole_points(points, "points"), supersedes=optional_name_of(supersedes))
        response = yield from self._gateway.send("POST", f"{_PATH}/preview", json=body)
        return self._gateway.parse(AgreementPreview, response)

    @operation
    def rates(self) -> Flow[Rates]:
        """Fetch your programs and live agreements as a graph; for the operator and auditors, the network's.

        Returns:
            Programs, and what their points become.
        """
        return (yield from self._gateway.get(Rates, "/v1/rates"))

    @operation
    def supersede(
        self,
        agreement: str | Identified,
        *,
        grace_seconds: int = 3_600,
        idempotency_key: str | None = None,
        wait: float | None = None,
        **changes: Unpack[TermChanges],
    ) -> Flow[Agreement]:
        """Propose a new version of an agreement, and sign it: the same terms but for what you change.

        When the other merchant has signed too, the new version takes the old one's place. For the grace the old one can
        still be used, so that its quotes and signed orders keep their promise.

        Args:
            agreement: The agreement to replace, or its id. It is on the chain.
            grace_seconds: How long the old version may still be used beside the new one. By default an hour, as long as
                the longest order is good.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has decided.
            **changes: The terms that change, named as in `propose`: rate, unit_price_micros, max_points, daily_cap,
                valid_from, valid_until, fee_bps, lifetime_days, initiators, accept_by, keep_expiry, document. The new
                version begins at once, has its own time to be accepted and its own document unless you say otherwise.

        Returns:
            The proposed agreement.

        Raises:
            VerificationError: The gateway shows other terms of the old version than were signed, or recorded other terms
                for the new one.
        """
        name = name_of(agreement)
        if self._gateway.options.signer is not None:
            old = yield from self._directory.agreement(name)
        else:
            old = yield from self._gateway.get(Agreement, f"{_PATH}/{segment(name)}")
        body = {**_copied(old), **_written(**changes), "supersedes": old.id, "grace_seconds": _grace(grace_seconds)}
        return (yield from self._propose(body, idempotency_key, wait))

    @operation
    def sign(
        self,
        agreement: str | Identified,
        *,
        signature: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Agreement]:
        """Add your own merchant's signature. With both signatures the agreement goes to the chain.

        A client with a signer checks the terms first: they must hash to the digest and say what the API shows (rate,
        price, caps, parties, dates, the agreement that they supersede).

        Args:
            agreement: The agreement, or its id.
            signature: Your signature over the agreement's digest, if another machine has made it.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the agreement is active.

        Returns:
            The agreement.

        Raises:
            VerificationError: The terms say something else; nothing was signed.
            SigningError: The signer's merchant is not a party to the agreement.
        """
        name = name_of(agreement)
        if signature is None and self._gateway.options.signer is not None:
            found = yield from self._gateway.get(Agreement, f"{_PATH}/{segment(name)}")
            return (yield from self._sign(found, idempotency_key, wait))
        return (yield from self._add_signature(name, given(signature=signature), idempotency_key, wait))

    @operation
    def withdraw(self, agreement: str | Identified, *, idempotency_key: str | None = None) -> Flow[Agreement]:
        """Withdraw a proposal of your own, or decline the other merchant's, as long as not both have signed it.

        A signature that you gave stays worth something on the chain until the terms' `accept_by`, should somebody keep it.

        Args:
            agreement: The proposal, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The proposal: withdrawn, or declined.

        Raises:
            ConflictError: Both have signed it, or it has ended already (`agreement_not_proposed`).
        """
        path = f"{_PATH}/{segment(name_of(agreement))}/withdrawal"
        return (yield from self._gateway.post(Agreement, path, {}, key=idempotency_key))

    @operation
    def terminate(
        self,
        agreement: str | Identified,
        *,
        effective_at: datetime | None = None,
        signature: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Agreement]:
        """End an agreement: your own merchant's signature is enough. It can only end earlier than it would anyway.

        Quotes and orders that are to hold need an `effective_at` behind them: what reaches the chain later is rejected.

        Args:
            agreement: The agreement, or its id. It is on the chain.
            effective_at: When it ends. By default at once.
            signature: Your signature over the termination's digest, if another machine has made it. It covers `effective_at`.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has confirmed the end.

        Returns:
            The agreement. From now on the gateway uses it no longer than until `terminates_at`.

        Raises:
            SigningError: The signer's merchant is not a party to the agreement, or the agreement is not on the chain yet.
            AgreementError: It ends no later than that already (`agreement_ends_earlier`).
            ConflictError: It has ended (`agreement_ended`), or is not on the chain (`agreement_not_registered`).
        """
        name = name_of(agreement)
        body = given(effective_at=_instant(effective_at, "effective_at") if effective_at is not None else None)
        if signature is not None:
            body["signature"] = signature
        elif self._gateway.options.signer is not None:
            body = yield from self._signed_termination(name, effective_at)
        path = f"{_PATH}/{segment(name)}"
        return (
            yield from self._gateway.post(
                Agreement, f"{path}/termination", body, key=idempotency_key, wait=wait, poll=path
            )
        )

    @operation
    def get(self, agreement: str, *, expand: Collection[str] = ()) -> Flow[Agreement]:
        """Fetch one agreement by its id; fields in `expand` are whole in `expanded`. Raises NotFoundError."""
        return (yield from self._gateway.get(Agreement, f"{_PATH}/{segment(agreement)}", expand=expand))

    @operation
    def use(self, agreement: str | Identified) -> Flow[AgreementUse]:
        """Fetch what an agreement has used of today's cap.

        Args:
            agreement: The agreement, or its id.

        Returns:
            Source points burnt, on their way, and left.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        return (yield from self._gateway.get(AgreementUse, f"{_PATH}/{segment(name_of(agreement))}/use"))

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
    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        program: ProgramName | None = None,
        counterparty: str | Identified | None = None,
        expand: Collection[str] = (),
        page_size: int | None = None,
    ) -> Query[Agreement]:
        """List your agreements, newest first; or all of them for an operator or auditor.

        Args:
            state: Only what is in this state, for example `proposed` or `active`.
            kind: Only `exchange` or `acceptance`.
            program: Only what has this program on either side.
            counterparty: Only what is with this merchant.
            expand: Fields to show whole, such as `["member", "agreement"]`: they are in `expanded` then.
            page_size: Elements to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "state": state,
            "kind": kind,
            "program": code_of(program) if program is not None else None,
            "counterparty": optional_name_of(counterparty),
            "limit": page_size,
            **expanding(expand),
        }
        return Query(_PATH, Agreement, params)

    def _propose(self, body: dict[str, Any], idempotency_key: str | None, wait: float | None) -> Flow[Agreement]:
        """Propose what the body says; a client with a signer signs it if that is what the gateway recorded."""
        key = idempotency_key or new_key()
        proposal = yield from self._gateway.post(Agreement, _PATH, body, key=key)
        if self._gateway.options.signer is None:
            return proposal
        _check_proposal({"supersedes": None, **body}, proposal)
        return (yield from self._sign(proposal, f"{key[:245]}:sign", wait))

    def _sign(self, agreement: Agreement, key: str | None, wait: float | None) -> Flow[Agreement]:
        terms = yield from self._directory.checked_terms(agreement)
        yield from self._require_party(agreement)
        domain = yield from self._directory.domain()
        body = {"signature": signed(self._directory.signer, terms.digest(domain))}
        return (yield from self._add_signature(agreement.id, body, key, wait))

    def _require_party(self, agreement: Agreement) -> Flow[None]:
        own = yield from self._directory.own_number()
        source, target = agreement.terms["source_merchant"], agreement.terms["target_merchant"]
        if own not in {source, target}:
            raise SigningError(
                f"{agreement.id} is between merchants {source} and {target}; the signer belongs to merchant {own}"
            )

    def _signed_termination(self, name: str, effective_at: datetime | None) -> Flow[dict[str, Any]]:
        """The body of a termination. The contract takes a moment that is past for now, so a retry signs the same again."""
        agreement = yield from self._directory.agreement(name)
        yield from self._require_party(agreement)
        if agreement.number is None:
            raise SigningError(
                f"{agreement.id} is {agreement.state}, not on the chain: there is nothing to terminate yet"
            )
        moment = _instant(effective_at or _AT_ONCE, "effective_at")
        seconds = int(datetime.fromisoformat(moment).timestamp())
        domain = yield from self._directory.domain()
        digest = termination_digest(domain, agreement.number, seconds)
        return {"effective_at": moment, "signature": signed(self._directory.signer, digest)}

    def _add_signature(self, name: str, body: dict[str, Any], key: str | None, wait: float | None) -> Flow[Agreement]:
        path = f"{_PATH}/{segment(name)}"
        return (yield from self._gateway.post(Agreement, f"{path}/signatures", body, key=key, wait=wait, poll=path))


def _grace(seconds: int) -> int:
    return whole_number(seconds, "grace_seconds", least=0, most=2**32 - 1, unit="seconds")


def _sides(
    source_program: ProgramName, target_program: ProgramName | None, target_merchant: str | Identified | None
) -> dict[str, Any]:
    """Between whom an agreement is, as the API writes it. Raises ValueError unless there is exactly one target."""
    if (target_program is None) == (target_merchant is None):
        raise ValueError("give exactly one of target_program (exchange) and target_merchant (acceptance)")
    return given(
        kind="exchange" if target_program is not None else "acceptance",
        source_program=code_of(source_program),
        target_program=code_of(target_program) if target_program is not None else None,
        target_merchant=optional_name_of(target_merchant),
    )


def _written(**terms: Unpack[TermChanges]) -> dict[str, Any]:
    """Terms as the API writes them. What is None is left out."""
    body: dict[str, Any] = {}
    for name, value in terms.items():
        if value is None:
            continue
        if name == "rate":
            exact = rate_of(terms["rate"])
            body |= {"rate_num": exact.numerator, "rate_den": exact.denominator}
        else:
            body[name] = _WRITE[name](value) if name in _WRITE else value
    return body


def _copied(old: Agreement) -> dict[str, Any]:
    """The terms of an agreement that its new version keeps unless they change."""
    plain = (
        *("kind", "source_program", "rate_num", "rate_den", "unit_price_micros", "fee_bps", "lifetime_days"),
        *("max_points", "daily_cap", "keep_expiry"),
    )
    is_exchange = old.kind == "exchange"
    return given(
        **{name: getattr(old, name) for name in plain},
        target_program=old.target_program,
        target_merchant=None if is_exchange else old.target_merchant,
        initiators=list(old.initiators),
        valid_until=_instant(old.valid_until, "valid_until"),
    )


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


_WRITE: dict[str, Callable[[Any], object]] = {
    "unit_price_micros": lambda micros: whole_number(
        micros, "unit_price_micros", least=0, most=UINT64_MAX, unit="micros"
    ),
    "fee_bps": lambda bps: whole_number(bps, "fee_bps", least=0, most=10_000, unit="basis points"),
    "lifetime_days": lambda days: whole_number(days, "lifetime_days", least=0, most=65_535, unit="days"),
    "max_points": lambda points: whole_points(points, "max_points"),
    "daily_cap": lambda points: whole_points(points, "daily_cap"),
    "initiators": list,
    "valid_from": lambda moment: _instant(moment, "valid_from"),
    "valid_until": lambda moment: _instant(moment, "valid_until"),
    "accept_by": lambda moment: _instant(moment, "accept_by"),
}
"""How terms are checked and written, where that is not as they are."""


class Agreements(Blocking, _Agreements):
    """Agreements: terms that two merchants sign."""


class AsyncAgreements(Awaiting, _Agreements):
    """Agreements: terms that two merchants sign. Its methods are awaited."""
