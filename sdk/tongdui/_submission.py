"""Submitting orders: signed on this machine where the client has a signer, else for the gateway to sign."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import orders
from ._directory import Directory
from ._errors import APIError
from ._flow import Flow
from ._gateway import Gateway, ModelT, given, name_of, new_key
from ._instruction import InstructionRequest
from ._models import EntryFields, NonceBlock, Order, expect
from ._nonces import NonceLease
from ._prepared import PreparedOrder
from ._signing import signed
from .encoding import hex_of

_NONCE_REFUSALS = {"nonce_used", "nonce_not_reserved"}
_STALE_DATA_REFUSALS = {"wrong_signer", "agreement_not_live", "unknown_agreement", "unknown_program"}
"""Refusals that may only mean that reference data has changed since it was fetched. Nothing was accepted then."""


@dataclass(slots=True)
class OrderSubmitter:
    """Signs orders where there is a signer, and posts them."""

    gateway: Gateway
    directory: Directory
    nonces: NonceLease

    def submit(
        self,
        model: type[ModelT],
        path: str,
        instructions: Sequence[InstructionRequest],
        arrange: Callable[[list[dict[str, Any]]], dict[str, Any]],
        *,
        atomic: bool = False,
        key: str | None,
        wait: float | None,
        minimal: bool = False,
        collection: str | None = None,
        link: bytes | None = None,
    ) -> Flow[ModelT]:
        """Post instructions as one order, signed if there is a signer.

        The gateway may refuse a signature because reference data has changed since it was fetched: there is a new
        agreement, or midnight has passed. Then the data are fetched again and the order is signed again, once, under the
        same nonce, so that only one of the two can ever take effect. A key of the caller's own is never changed, so then
        the refusal is raised. A refusal of the nonce is raised too: no intent is ever signed under two nonces.

        Args:
            model: What the response is.
            path: Where to post.
            instructions: The order's instructions.
            arrange: Makes the request's body out of the instructions' bodies.
            atomic: Whether all instructions take effect or none.
            key: The caller's Idempotency-Key, if it has one.
            wait: Seconds to wait until the resource is final.
            minimal: Ask for an answer without details.
            collection: The path of the resource's collection. By default `path`.
            link: What the instructions are linked to, where they do not say it themselves: the day of a hold.

        Returns:
            The resource. It remembers what was signed (or asked for, without a signer), for `entries.receipt`.

        Raises:
            APIError: The gateway refused the order.
            SigningError: The order cannot be signed on this machine.
            VerificationError: The gateway's data contradict themselves or the chain.
        """
        signing = self.gateway.options.signer is not None
        sent_key = key or new_key()
        nonce = (yield from self._nonce(key)) if signing else None
        for is_last_attempt in (False, True):
            expected: Iterable[EntryFields]
            if nonce is None:
                bodies, authorization = [instruction.body() for instruction in instructions], None
                linked = given(link=None if link is None else hex_of(link))
                expected = tuple(
                    {**instruction.expected_entry(self.directory), **linked} for instruction in instructions
                )
            else:
                bodies, authorization, order = yield from self._sign(instructions, nonce, atomic=atomic, link=link)
                expected = _SignedEntries(order, with_nonce=key is None or self.nonces.outlives_process)
            body = {**arrange(bodies), **given(authorization=authorization)}
            try:
                posted = self.gateway.post(
                    model, path, body, key=sent_key, wait=wait, minimal=minimal, collection=collection
                )
                return expect((yield from posted), expected)
            except APIError as refusal:
                self._heed(refusal)
                if is_last_attempt or not signing or key is not None or refusal.code not in _STALE_DATA_REFUSALS:
                    raise
            sent_key = new_key()
        raise AssertionError("unreachable")

    def prepare(
        self,
        instructions: Sequence[InstructionRequest],
        arrange: Callable[[list[dict[str, Any]]], dict[str, Any]],
        *,
        atomic: bool,
        key: str,
        nonce: int | None,
    ) -> Flow[PreparedOrder]:
        """Make the order that `submit` would post, and do not post it.

        Args:
            instructions: The order's instructions.
            arrange: Makes the request's body out of the instructions' bodies.
            atomic: Whether all instructions take effect or none.
            key: The Idempotency-Key.
            nonce: The nonce to sign with. By default the one that the key is bound to.

        Returns:
            The order.

        Raises:
            APIError: The gateway refused a look-up, such as that of an unknown member.
            SigningError: The order cannot be signed on this machine.
            VerificationError: The gateway's data contradict themselves or the chain.
        """
        if self.gateway.options.signer is None:
            body = arrange([instruction.body() for instruction in instructions])
            return PreparedOrder(_written(body), key)
        if nonce is None:
            nonce = yield from self._nonce(key)
        bodies, authorization, order = yield from self._sign(instructions, nonce, atomic=atomic, link=None)
        content = _written({**arrange(bodies), "authorization": authorization})
        return PreparedOrder(content, key, nonce, order.deadline)

    def submit_prepared(self, path: str, prepared: PreparedOrder, wait: float | None, *, minimal: bool) -> Flow[Order]:
        """Post a prepared order as it is. Raises what `Gateway.post` raises."""
        until = self.gateway.now() + (wait or 0)
        try:
            response = yield from self.gateway.send(
                "POST", path, content=prepared.content, key=prepared.idempotency_key, wait=wait, minimal=minimal
            )
        except APIError as refusal:
            self._heed(refusal)
            raise
        order = self.gateway.parse(Order, response)
        return (yield from self.gateway.follow(order, f"{path}/{order.id}", until))

    def _heed(self, refusal: APIError) -> None:
        """Forget what the gateway says is not so any more."""
        if refusal.code in _NONCE_REFUSALS:
            self.nonces.drop()
        if refusal.code in _STALE_DATA_REFUSALS:
            self.directory.forget()

    def _sign(
        self, instructions: Sequence[InstructionRequest], nonce: int, *, atomic: bool, link: bytes | None
    ) -> Flow[tuple[list[dict[str, Any]], dict[str, Any], orders.Order]]:
        """The instructions' bodies, the `authorization` of exactly these instructions, and the order that was signed."""
        domain = yield from self.directory.domain()
        merchant = yield from self.directory.own_number()
        yield from self.directory.prepare(
            name for instruction in instructions for name in map(name_of, instruction.members())
        )
        wires, bodies = [], []
        for instruction in instructions:
            signable = yield from instruction.signable(self.directory)
            wires.append(signable.wire if link is None else replace(signable.wire, link=link))
            bodies.append(signable.body)
        deadline = int(self.gateway.now()) + self.gateway.options.deadline_seconds
        order = orders.Order(merchant, nonce, deadline, tuple(wires), atomic)
        signature = signed(self.directory.signer, order.digest(domain))
        return bodies, {"nonce": nonce, "deadline": deadline, "signature": signature}, order

    def _nonce(self, key: str | None) -> Flow[int]:
        while (nonce := self.nonces.take(key)) is None:
            body = {"count": self.nonces.block}
            self.nonces.add((yield from self.gateway.post(NonceBlock, "/v1/nonces", body)))
        return nonce


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class _SignedEntries:
    """What a signed order says about its future entries. Worked out only when somebody looks.

    The nonce is left out where an earlier process may have signed for the same Idempotency-Key: then the gateway is
    right to answer with the earlier order and its nonce. The expiry is always left out, because midnight may have passed
    between the two.
    """

    order: orders.Order
    with_nonce: bool

    def __iter__(self) -> Iterator[EntryFields]:
        for item, instruction in enumerate(self.order.instructions):
            yield {
                "merchant": self.order.merchant,
                **({"nonce": self.order.nonce} if self.with_nonce else {}),
                "item": item,
                "kind": int(instruction.kind),
                "program": instruction.program,
                "agreement": instruction.agreement,
                "member": instruction.member,
                "points": instruction.points,
                "ref": hex_of(instruction.ref),
                "link": hex_of(instruction.link),
            }
