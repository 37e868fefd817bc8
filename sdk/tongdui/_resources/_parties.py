"""Who takes part: merchants, their programs, and members."""

from __future__ import annotations

from collections.abc import Sequence

from tongdui._amounts import whole_number
from tongdui._core import Identified, given, name_of, segment
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._instructions import MemberName
from tongdui._models import Account, LinkCode, Member, Merchant, Program
from tongdui._pages import Page, Query, listing

from ._base import Resource

_MICROS_MAX = 2**63 - 1


class _Merchants(Resource):
    @operation
    def create(
        self,
        *,
        name: str,
        signer_address: str | None = None,
        managed_key: bool = False,
        credit_limit_micros: int = 0,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Merchant]:
        """Registers a merchant (operator). Either it signs with its own key at `signer_address`, or the gateway holds
        one for it.

        It is `pending` until the chain confirms it; `wait` (seconds) waits for that.
        """
        if bool(signer_address) == managed_key:
            raise ValueError("give exactly one of signer_address and managed_key=True")
        limit = whole_number(credit_limit_micros, "credit_limit_micros", least=0, most=_MICROS_MAX, unit="micros")
        body = given(name=name, signer_address=signer_address, credit_limit_micros=limit)
        if managed_key:
            body["managed_key"] = True
        return (yield from self._core.post(Merchant, "/v1/merchants", body, key=idempotency_key, wait=wait))

    @operation
    def get(self, merchant: str) -> Flow[Merchant]:
        """One merchant by id. Raises NotFoundError."""
        return (yield from self._core.get(Merchant, f"/v1/merchants/{segment(merchant)}"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Merchant]:
        """All merchants that this API key may see."""
        return Query("/v1/merchants", Merchant, {"limit": page_size})

    @operation
    def set_credit_limit(
        self,
        merchant: str | Identified,
        credit_limit_micros: int,
        *,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Merchant]:
        """Sets how far below zero a merchant's position may go, in micros (operator)."""
        limit = whole_number(credit_limit_micros, "credit_limit_micros", least=0, most=_MICROS_MAX, unit="micros")
        path = f"/v1/merchants/{segment(name_of(merchant))}"
        return (
            yield from self._core.post(
                Merchant,
                f"{path}/credit_limit",
                {"credit_limit_micros": limit},
                key=idempotency_key,
                wait=wait,
                poll=path,
            )
        )


class _Programs(Resource):
    @operation
    def create(
        self,
        *,
        merchant: str | Identified,
        code: str,
        name: str,
        default_lifetime_days: int | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Program]:
        """Registers a points currency of a merchant (operator). `code`: 2 to 12 of A-Z and 0-9; `name`: at most 32
        bytes of UTF-8."""
        if default_lifetime_days is not None:
            whole_number(default_lifetime_days, "default_lifetime_days", least=1, most=2**16 - 1, unit="days")
        body = given(merchant=name_of(merchant), code=code, name=name, default_lifetime_days=default_lifetime_days)
        return (yield from self._core.post(Program, "/v1/programs", body, key=idempotency_key, wait=wait))

    @operation
    def get(self, program: str) -> Flow[Program]:
        """One program by code or id. Raises NotFoundError."""
        return (yield from self._core.get(Program, f"/v1/programs/{segment(program)}"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Program]:
        """All programs."""
        return Query("/v1/programs", Program, {"limit": page_size})


class _Members(Resource):
    @operation
    def create(
        self, *, external_id: str, link_code: str | None = None, idempotency_key: str | None = None
    ) -> Flow[Member]:
        """The member whom you know as `external_id`: registered now, or the one that was registered before.

        With another merchant's `link_code` it is the same member as over there.
        """
        body = given(external_id=external_id, link_code=link_code)
        member = yield from self._core.post(Member, "/v1/members", body, key=idempotency_key)
        self._book.learn(member, f"external:{external_id}")
        return member

    @operation
    def get(self, member: MemberName) -> Flow[Member]:
        """One member by id, or by `external:` and your own number. Raises NotFoundError."""
        return (yield from self._core.get(Member, f"/v1/members/{segment(name_of(member))}"))

    @operation
    def create_link_code(self, member: MemberName, *, idempotency_key: str | None = None) -> Flow[LinkCode]:
        """A one-time code (ten minutes) with which another merchant registers this same member."""
        path = f"/v1/members/{segment(name_of(member))}/link_codes"
        return (yield from self._core.post(LinkCode, path, {}, key=idempotency_key))

    @operation
    def accounts(self, member: MemberName) -> Flow[Sequence[Account]]:
        """The member's points in every program that you may see."""
        path = f"/v1/members/{segment(name_of(member))}/accounts"
        return (yield from self._core.get(Page[Account], path)).data


class Merchants(Blocking, _Merchants):
    """`client.merchants`."""


class AsyncMerchants(Awaiting, _Merchants):
    """`client.merchants`, awaited."""


class Programs(Blocking, _Programs):
    """`client.programs`."""


class AsyncPrograms(Awaiting, _Programs):
    """`client.programs`, awaited."""


class Members(Blocking, _Members):
    """`client.members`."""


class AsyncMembers(Awaiting, _Members):
    """`client.members`, awaited."""
