"""Who takes part: merchants, their programs, and members."""

from __future__ import annotations

from collections.abc import Sequence

from tongdui._amounts import whole_number, whole_points
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, optional_name_of, segment
from tongdui._instruction import MemberName, ProgramName, code_of
from tongdui._models import Account, LinkCode, Member, MemberCode, Merchant, Program
from tongdui._pagination import Page, Query, listing
from tongdui._resource import Resource

_MICROS_MAX = 2**63 - 1


def _codes(member: MemberName) -> str:
    """The path of a member's codes."""
    return f"/v1/members/{segment(name_of(member))}/codes"


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
        """Register a merchant (operator). It is `pending` until the chain confirms it.

        Args:
            name: The merchant's name.
            signer_address: Address of the key that the merchant signs with.
            managed_key: Instead of `signer_address`: the gateway keeps a key for the merchant.
            credit_limit_micros: How far below zero its position may go.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has confirmed it.

        Returns:
            The merchant.

        Raises:
            ValueError: Not exactly one of `signer_address` and `managed_key` is given.
        """
        if bool(signer_address) == managed_key:
            raise ValueError("give exactly one of signer_address and managed_key=True")
        limit = whole_number(credit_limit_micros, "credit_limit_micros", least=0, most=_MICROS_MAX, unit="micros")
        body = given(
            name=name,
            signer_address=signer_address,
            credit_limit_micros=limit,
            managed_key=True if managed_key else None,
        )
        return (yield from self._gateway.post(Merchant, "/v1/merchants", body, key=idempotency_key, wait=wait))

    @operation
    def get(self, merchant: str) -> Flow[Merchant]:
        """Fetch one merchant by its id. Raises NotFoundError."""
        return (yield from self._gateway.get(Merchant, f"/v1/merchants/{segment(merchant)}"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Merchant]:
        """List the merchants that this API key may see, `page_size` at a time."""
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
        """Set how far below zero a merchant's position may go (operator).

        Args:
            merchant: The merchant, or its id.
            credit_limit_micros: The limit, in millionths of the settlement currency.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has confirmed it.

        Returns:
            The merchant.
        """
        limit = whole_number(credit_limit_micros, "credit_limit_micros", least=0, most=_MICROS_MAX, unit="micros")
        path = f"/v1/merchants/{segment(name_of(merchant))}"
        body = {"credit_limit_micros": limit}
        return (
            yield from self._gateway.post(
                Merchant, f"{path}/credit_limit", body, key=idempotency_key, wait=wait, poll=path
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
        """Register a merchant's points currency (operator). It is `pending` until the chain confirms it.

        Args:
            merchant: The merchant that issues it, or its id.
            code: 2 to 12 of the characters A-Z and 0-9.
            name: At most 32 bytes of UTF-8.
            default_lifetime_days: How long points live that are issued without an expiry date. By default for ever.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has confirmed it.

        Returns:
            The program.
        """
        if default_lifetime_days is not None:
            whole_number(default_lifetime_days, "default_lifetime_days", least=1, most=2**16 - 1, unit="days")
        body = given(merchant=name_of(merchant), code=code, name=name, default_lifetime_days=default_lifetime_days)
        return (yield from self._gateway.post(Program, "/v1/programs", body, key=idempotency_key, wait=wait))

    @operation
    def get(self, program: str) -> Flow[Program]:
        """Fetch one program by its code or id. Raises NotFoundError."""
        return (yield from self._gateway.get(Program, f"/v1/programs/{segment(program)}"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Program]:
        """List all programs, `page_size` at a time."""
        return Query("/v1/programs", Program, {"limit": page_size})


class _Members(Resource):
    @operation
    def create(
        self, *, external_id: str, link_code: str | None = None, idempotency_key: str | None = None
    ) -> Flow[Member]:
        """Register a member, or find the one that was registered before.

        Args:
            external_id: Your own number for the member.
            link_code: A code from another merchant; the member then becomes the same one as there.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The member.

        Raises:
            VerificationError: The member's address is not what it was before.
        """
        body = given(external_id=external_id, link_code=link_code)
        member = yield from self._gateway.post(Member, "/v1/members", body, key=idempotency_key)
        self._directory.learn(member, f"external:{external_id}")
        return member

    @operation
    def get(self, member: MemberName) -> Flow[Member]:
        """Fetch one member by its id, or by `external:` and your own number. Raises NotFoundError."""
        return (yield from self._gateway.get(Member, f"/v1/members/{segment(name_of(member))}"))

    @operation
    def create_link_code(self, member: MemberName, *, idempotency_key: str | None = None) -> Flow[LinkCode]:
        """Make a one-time code with which another merchant registers this same member. It is valid for ten minutes.

        Args:
            member: The member.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The code.
        """
        path = f"/v1/members/{segment(name_of(member))}/link_codes"
        return (yield from self._gateway.post(LinkCode, path, {}, key=idempotency_key))

    @operation
    def create_code(
        self,
        member: MemberName,
        *,
        points: int,
        program: ProgramName | None = None,
        merchant: str | Identified | None = None,
        expires_in: int = 300,
        idempotency_key: str | None = None,
    ) -> Flow[MemberCode]:
        """Make a one-time code with which another merchant draws on the member's points. Show it to the member.

        The member reads it out at the other merchant's till, or the till scans its QR code.

        Args:
            member: The member who agrees to it.
            points: The ceiling.
            program: One program of yours. By default any of yours.
            merchant: The only merchant that may present it. By default any.
            expires_in: For how many seconds it is good: 60 to 600.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The code. Only this answer has `code`, `qr` and `qr_svg`; an answer to a retry does not.

        Raises:
            ForbiddenError: The program is not yours.
        """
        body = given(
            points=whole_points(points),
            program=code_of(program) if program is not None else None,
            merchant=optional_name_of(merchant),
            expires_in=whole_number(expires_in, "expires_in", least=60, most=600, unit="seconds"),
        )
        return (yield from self._gateway.post(MemberCode, _codes(member), body, key=idempotency_key))

    @operation
    def get_code(self, member: MemberName, code: str | Identified) -> Flow[MemberCode]:
        """Fetch a code that you made, by its id, to see what became of it. Raises NotFoundError."""
        return (yield from self._gateway.get(MemberCode, f"{_codes(member)}/{segment(name_of(code))}"))

    @operation
    def void_code(
        self, member: MemberName, code: str | Identified, *, idempotency_key: str | None = None
    ) -> Flow[MemberCode]:
        """End a code before its time. Harmless if it has ended already.

        Args:
            member: The member.
            code: The code, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The code: `void`, or `expired`.

        Raises:
            ConflictError: It was used.
        """
        path = f"{_codes(member)}/{segment(name_of(code))}"
        response = yield from self._gateway.send("DELETE", path, key=idempotency_key)
        return self._gateway.parse(MemberCode, response)

    @operation
    def by_code(self, code: str, *, program: ProgramName, points: int) -> Flow[Member]:
        """Look up whose code a member has shown you, without using it up.

        You need not: pass the code as `member_code=` where you spend, exchange or hold. There a client that signs looks it up
        by itself.

        Args:
            code: The code as the member reads it out, or what its QR code says.
            program: The program whose points you want to draw on.
            points: How many.

        Returns:
            The member. Its `external_id` is None if you do not know the member otherwise.

        Raises:
            MemberCodeError: The code is not live, or does not allow this.
            RateLimitedError: You have presented too many wrong codes; `retry_after` says when to go on.
        """
        return (yield from self._directory.code_holder(code, code_of(program), whole_points(points)))

    @operation
    def accounts(self, member: MemberName) -> Flow[Sequence[Account]]:
        """Fetch the member's points in every program that you may see. Raises NotFoundError."""
        path = f"/v1/members/{segment(name_of(member))}/accounts"
        return (yield from self._gateway.get(Page[Account], path)).data


class Merchants(Blocking, _Merchants):
    """Merchants: the legal entities in the network."""


class AsyncMerchants(Awaiting, _Merchants):
    """Merchants: the legal entities in the network. Its methods are awaited."""


class Programs(Blocking, _Programs):
    """Programs: the points currencies of merchants."""


class AsyncPrograms(Awaiting, _Programs):
    """Programs: the points currencies of merchants. Its methods are awaited."""


class Members(Blocking, _Members):
    """Members: the customers who own points."""


class AsyncMembers(Awaiting, _Members):
    """Members: the customers who own points. Its methods are awaited."""
