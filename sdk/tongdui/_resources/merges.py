"""Merges: two members of yours are one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tongdui import orders
from tongdui._directory import Directory
from tongdui._errors import SigningError
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, name_of, optional_name_of, segment
from tongdui._instruction import InstructionRequest, MemberName, SignableInstruction
from tongdui._models import EntryFields, Merge, MergeAccount, Movement
from tongdui._pagination import Query, listing
from tongdui._resource import Resource
from tongdui._signing import reference_hash
from tongdui.encoding import address_word, hex_of

_PATH = "/v1/merges"


@dataclass(frozen=True, slots=True, kw_only=True)
class _MergeTransfer(InstructionRequest):
    """The transfer that empties the old address in one program. The merge says which; nothing is left to choose."""

    kind: ClassVar = orders.Kind.TRANSFER
    label: ClassVar = "transfer"
    noun: ClassVar = "transfer"
    collection: ClassVar = "transfers"

    member: MemberName
    address: str
    into_address: str
    account: MergeAccount
    points: int

    def members(self) -> tuple[MemberName, ...]:
        """None: the merge says the addresses itself."""
        return ()

    def body(self) -> dict[str, Any]:
        """The JSON body when the gateway signs it."""
        return {"program": self.account.program, "points": self.points, "reference": self.account.reference}

    def signable(self, directory: Directory) -> Flow[SignableInstruction]:
        """Work out what to sign."""
        program = yield from directory.program(self.account.program)
        ref = reference_hash(directory.signer, self.account.reference)
        wire = orders.Instruction(
            kind=self.kind,
            member=self.address,
            points=self.points,
            program=program.number,
            link=address_word(self.into_address),
            ref=ref,
        )
        return SignableInstruction(wire, {**self.body(), "ref": hex_of(ref)})

    def expected_entry(self, directory: Directory) -> EntryFields:  # noqa: ARG002 - the merge knows the address
        """What is certain about the future entry."""
        return {"kind": int(self.kind), "member": self.address, "points": self.points}


class _Merges(Resource):
    @operation
    def create(self, *, member: MemberName, into: MemberName, idempotency_key: str | None = None) -> Flow[Merge]:
        """Propose to merge a member into another one. Nothing happens before `confirm`.

        Args:
            member: The member that ends. Its id and all its numbers will lead to the other one.
            into: The member that stays.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The merge, with its `warning` and what would move.

        Raises:
            ConflictError: There are holds on the member's points (`holds_open`).
            ForbiddenError: You know one of them only because you claimed it.
        """
        body = {"member": name_of(member), "into": name_of(into)}
        return (yield from self._gateway.post(Merge, _PATH, body, key=idempotency_key))

    @operation
    def confirm(self, merge: str | Identified, *, idempotency_key: str | None = None) -> Flow[Merge]:
        """Merge the members. This cannot be undone.

        Args:
            merge: The merge, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The merge. The gateway moves the points of merchants whose keys it keeps; `sign` moves yours if you keep your own.

        Raises:
            ConflictError: There are holds on the member's points by now, or the merge was cancelled.
        """
        confirmed = yield from self._gateway.post(Merge, f"{_path(merge)}/confirm", {}, key=idempotency_key)
        self._directory.forget_members()
        return confirmed

    @operation
    def cancel(self, merge: str | Identified, *, idempotency_key: str | None = None) -> Flow[Merge]:
        """Withdraw a proposal that is not confirmed.

        Args:
            merge: The merge, or its id.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The merge.

        Raises:
            ConflictError: It is confirmed, and cannot be undone.
        """
        return (yield from self._gateway.post(Merge, f"{_path(merge)}/cancel", {}, key=idempotency_key))

    @operation
    def get(self, merge: str | Identified) -> Flow[Merge]:
        """Fetch one merge as it is now. Raises NotFoundError."""
        return (yield from self._gateway.get(Merge, _path(merge)))

    @listing
    def list(
        self, *, state: str | None = None, member: str | Identified | None = None, page_size: int | None = None
    ) -> Query[Merge]:
        """List merges that you proposed, and those of members with points of your programs, newest first.

        Args:
            state: Only merges in this state: proposed, cancelled, moving or done.
            member: Only merges of this member, or its id.
            page_size: Merges to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        return Query(_PATH, Merge, {"state": state, "member": optional_name_of(member), "limit": page_size})

    @operation
    def wait(self, merge: str | Identified, timeout: float = 30.0) -> Flow[Merge]:
        """Wait until a confirmed merge is done.

        Args:
            merge: The merge, or its id.
            timeout: Seconds to wait at most.

        Returns:
            The merge: done, or as it was when the time was up.
        """
        found = yield from self._gateway.get(Merge, _path(merge))
        return (yield from self._gateway.follow(found, _path(merge), self._gateway.now() + timeout))

    @operation
    def sign(self, merge: str | Identified, *, wait: float | None = None) -> Flow[tuple[Movement, ...]]:
        """Sign the transfers that this merge needs from you: one for each program of yours with points to move.

        Call it when the event `member.merge_due` tells you to. Calling it again does no harm: it moves what is there.

        Args:
            merge: The merge, or its id.
            wait: Seconds to wait, for each transfer, until the chain has decided.

        Returns:
            The transfers.

        Raises:
            SigningError: This client has no signer.
            ConflictError: Another process has signed meanwhile (`merge_changed`).
        """
        found = yield from self._gateway.get(Merge, _path(merge))
        own = yield from self._directory.own_number()
        moved = []
        for account in found.accounts:
            if account.signed_by == "merchant" and account.available:
                signer = yield from self._directory.merchant(account.merchant)
                if signer.number == own:
                    moved.append((yield from self._transfer(found, account, wait)))
        return tuple(moved)

    def _transfer(self, merge: Merge, account: MergeAccount, wait: float | None) -> Flow[Movement]:
        if merge.member_address is None or merge.into_address is None:
            raise SigningError(f"{merge.id} has no addresses any more: its members were erased")
        transfer = _MergeTransfer(
            member=merge.member,
            address=merge.member_address,
            into_address=merge.into_address,
            account=account,
            points=account.available,
        )

        def only_body(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return bodies[0]

        path = f"{_path(merge)}/transfers"
        submitted = self._submitter.submit(
            Movement, path, [transfer], only_body, key=None, wait=wait, collection=f"/v1/{transfer.collection}"
        )
        return (yield from submitted)


def _path(merge: str | Identified) -> str:
    return f"{_PATH}/{segment(name_of(merge))}"


class Merges(Blocking, _Merges):
    """Merges: two members become one."""


class AsyncMerges(Awaiting, _Merges):
    """Merges: two members become one. Its methods are awaited."""
