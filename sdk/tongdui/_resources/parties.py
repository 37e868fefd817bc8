"""Who takes part: merchants, their programs, and members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Final, TypeAlias

from tongdui._activity import Circulation
from tongdui._amounts import whole_number, whole_points
from tongdui._approval import Approval
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, given, name_of, optional_name_of, segment
from tongdui._instruction import MemberName, ProgramName, code_of
from tongdui._models import Account, ClosingAccount, Erasure, LinkCode, Member, MemberCode, Merchant, Program
from tongdui._pagination import Page, Query, listing, moment_parameter
from tongdui._resource import Resource

_MICROS_MAX = 2**63 - 1
_REGISTER_PAGE: Final = 500
"""Customers that the gateway registers at once."""
_SomeMembers: TypeAlias = list[Member]
"""Within the class below, `list` is its method."""


def _codes(member: MemberName) -> str:
    """The path of a member's codes."""
    return f"{_member_path(member)}/codes"


class _Merchants(Resource):
    @operation
    def create(
        self,
        *,
        name: str,
        signer_address: str | None = None,
        managed_key: bool = False,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[Merchant]:
        """Register a merchant (operator), without credit. It is `pending` until the chain confirms it.

        Args:
            name: The merchant's name.
            signer_address: Address of the key that the merchant signs with.
            managed_key: Instead of `signer_address`: the gateway keeps a key for the merchant.
            idempotency_key: Identifies the request over retries of your own. A random key by default.
            wait: Seconds to wait until the chain has confirmed it.

        Returns:
            The merchant.

        Raises:
            ValueError: Not exactly one of `signer_address` and `managed_key` is given.
        """
        if bool(signer_address) == managed_key:
            raise ValueError("give exactly one of signer_address and managed_key=True")
        body = given(name=name, signer_address=signer_address, managed_key=True if managed_key else None)
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
        reason: str,
        idempotency_key: str | None = None,
    ) -> Flow[Approval]:
        """Ask for another limit to how far below zero a merchant's position may go (operator). Another person has to approve it.

        Args:
            merchant: The merchant, or its id.
            credit_limit_micros: The limit, in millionths of the settlement currency.
            reason: Why, for whoever has to approve it.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval: see `approvals.approve`.
        """
        limit = whole_number(credit_limit_micros, "credit_limit_micros", least=0, most=_MICROS_MAX, unit="micros")
        path = f"/v1/merchants/{segment(name_of(merchant))}/credit_limit"
        body = {"credit_limit_micros": limit, "reason": reason}
        return (yield from self._gateway.post(Approval, path, body, key=idempotency_key))


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

    @operation
    def circulation(self, program: ProgramName) -> Flow[Circulation]:
        """Fetch how many points of a program are in circulation, and what became of the others. Raises NotFoundError."""
        return (yield from self._gateway.get(Circulation, f"/v1/programs/{segment(code_of(program))}/circulation"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Program]:
        """List all programs, `page_size` at a time."""
        return Query("/v1/programs", Program, {"limit": page_size})


class _Members(Resource):
    @operation
    def create(
        self,
        *,
        external_id: str,
        link_code: str | None = None,
        member: str | Identified | None = None,
        reissue: bool = False,
        idempotency_key: str | None = None,
    ) -> Flow[Member]:
        """Register a member, find the one that was registered before, or claim one whose points you have received.

        Args:
            external_id: Your own number for the member.
            link_code: A code from another merchant; the member then becomes the same one as there.
            member: A member whom you do not know, but who is in a movement in which you have received points; or its id.
            reissue: Give an external id out again that you have retired.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The member.

        Raises:
            NotFoundError: You have received nothing from `member`.
            ConflictError: You know another member by this id (`external_id_taken`), know `member` already
                (`member_known`), or have retired the id (`external_id_retired`).
            VerificationError: The member's address is not what it was before.
        """
        claimed = optional_name_of(member)
        body = given(external_id=external_id, link_code=link_code, member=claimed, reissue=reissue or None)
        found = yield from self._gateway.post(Member, "/v1/members", body, key=idempotency_key)
        self._directory.learn(found, f"external:{external_id}")
        return found

    @operation
    def register(self, external_ids: Iterable[str]) -> Flow[_SomeMembers]:
        """Register many members, or find those that were registered before, 500 with each request. Doing it again is harmless.

        Args:
            external_ids: Your own numbers for them.

        Returns:
            The members, in the order of the numbers.

        Raises:
            ConflictError: You have retired some of the ids (`external_id_retired`); `errors` says which.
            VerificationError: A member's address is not what it was before.
        """
        if isinstance(external_ids, str):
            raise TypeError(f'register takes a list of external ids: ["{external_ids}"]')
        found: _SomeMembers = []
        left = iter(external_ids)
        while some := [*islice(left, _REGISTER_PAGE)]:
            response = yield from self._gateway.send("POST", "/v1/members/register", json={"external_ids": some})
            page = self._gateway.parse(Page[Member], response).data
            for external_id, member in zip(some, page, strict=True):
                self._directory.learn(member, f"external:{external_id}")
            found += page
        return found

    @operation
    def lookup(self, members: Iterable[MemberName]) -> Flow[_SomeMembers]:
        """Find many members that you know, 500 with each request.

        Args:
            members: Their ids, or `external:` and your own numbers for them.

        Returns:
            The members, each once, in the order of the names. Those whom you do not know are missing.

        Raises:
            VerificationError: A member's address is not what it was before.
        """
        if isinstance(members, str):
            raise TypeError(f'lookup takes a list of members: ["{members}"]')
        return (yield from self._directory.look_up(name_of(member) for member in members))

    @listing
    def list(
        self,
        *,
        external_id: str | None = None,
        prefix: str | None = None,
        address: str | None = None,
        state: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int | None = None,
    ) -> Query[Member]:
        """List the members that you know, newest first; for the operator and auditors, everyone's.

        Args:
            external_id: Only the member with this number of yours.
            prefix: Only members of whom a number of yours begins like this, in the order of these numbers.
            address: Only the member with this address on the chain (operator and auditors).
            state: `active` or `frozen`.
            created_from: Only members registered at this moment or later.
            created_before: Only members registered before this moment.
            page_size: Members to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "external_id": external_id,
            "q": prefix,
            "address": address,
            "state": state,
            "created[gte]": moment_parameter(created_from, "created_from"),
            "created[lt]": moment_parameter(created_before, "created_before"),
            "limit": page_size,
        }
        return Query("/v1/members", Member, params)

    @operation
    def get(self, member: MemberName) -> Flow[Member]:
        """Fetch one member by its id, or by `external:` and your own number. Raises NotFoundError."""
        return (yield from self._gateway.get(Member, _member_path(member)))

    @operation
    def add_external_id(
        self, member: MemberName, external_id: str, *, reissue: bool = False, idempotency_key: str | None = None
    ) -> Flow[Member]:
        """Give a member a further number of yours: a second card.

        Args:
            member: The member.
            external_id: The further number.
            reissue: Give out a number again that you have retired.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The member.

        Raises:
            ConflictError: You know another member by this id (`external_id_taken`), or have retired it
                (`external_id_retired`).
        """
        body = given(external_id=external_id, reissue=reissue or None)
        path = f"{_member_path(member)}/external_ids"
        found = yield from self._gateway.post(Member, path, body, key=idempotency_key)
        self._directory.learn(found, f"external:{external_id}")
        return found

    @operation
    def retire_external_id(
        self, member: MemberName, external_id: str, *, idempotency_key: str | None = None
    ) -> Flow[Member]:
        """Let a number of yours lead to the member no more: a lost card.

        Args:
            member: The member.
            external_id: The number. It is given out again only with `reissue=True`.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The member.

        Raises:
            NotFoundError: It is not a number of this member.
            UnprocessableError: It is the last one (`last_external_id`).
        """
        path = f"{_member_path(member)}/external_ids/{segment(external_id)}"
        response = yield from self._gateway.send("DELETE", path, key=idempotency_key)
        self._directory.unlearn(f"external:{external_id}")
        return self._gateway.parse(Member, response)

    @operation
    def freeze(self, member: MemberName, *, reason: str, idempotency_key: str | None = None) -> Flow[Member]:
        """Let nobody take a member's points: at your till and of your programs; nowhere, if you are the operator.

        Args:
            member: The member.
            reason: Why, for whoever sees the freeze.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The member. Until `unfreeze`, taking its points is refused (`member_frozen`).
        """
        path = f"{_member_path(member)}/freeze"
        return (yield from self._gateway.post(Member, path, {"reason": reason}, key=idempotency_key))

    @operation
    def unfreeze(self, member: MemberName, *, idempotency_key: str | None = None) -> Flow[Member]:
        """Take your freeze back. Other merchants' and the network's stay.

        Args:
            member: The member.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The member.
        """
        return (yield from self._gateway.post(Member, f"{_member_path(member)}/unfreeze", {}, key=idempotency_key))

    @operation
    def erase(
        self, member: MemberName, *, forfeit_points: bool = False, idempotency_key: str | None = None
    ) -> Flow[Erasure]:
        """Forget a customer who asks for it. This cannot be undone.

        Args:
            member: The member.
            forfeit_points: The member gives up the points that are left. Ask it first.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            What was erased. While other merchants know the member, it lives on for them.

        Raises:
            ConflictError: The member has points (`points_left`), holds (`holds_open`) or pending movements
                (`orders_pending`).
        """
        path = f"{_member_path(member)}/erase"
        erased = yield from self._gateway.post(Erasure, path, {"forfeit_points": forfeit_points}, key=idempotency_key)
        self._directory.forget_member(erased.member)
        return erased

    @operation
    def create_link_code(self, member: MemberName, *, idempotency_key: str | None = None) -> Flow[LinkCode]:
        """Make a one-time code with which another merchant registers this same member. It is valid for ten minutes.

        Args:
            member: The member.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The code.
        """
        path = f"{_member_path(member)}/link_codes"
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
        path = f"{_member_path(member)}/accounts"
        return (yield from self._gateway.get(Page[Account], path)).data

    @operation
    def accounts_as_of(self, member: MemberName, day: date) -> Flow[Sequence[ClosingAccount]]:
        """Fetch the member's points as they were at the end of a day.

        Args:
            member: The member; for the operator and auditors also an address on the chain.
            day: A day of the network that is over.

        Returns:
            The points in every program that you may see, with the block at which the chain says the same.

        Raises:
            UnprocessableError: The day is not over.
            NotFoundError: There is no such member, or you do not know it.
        """
        path = f"{_member_path(member)}/accounts"
        response = yield from self._gateway.send("GET", path, params={"as_of": day.isoformat()})
        return self._gateway.parse(Page[ClosingAccount], response).data


def _member_path(member: MemberName) -> str:
    return f"/v1/members/{segment(name_of(member))}"


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
