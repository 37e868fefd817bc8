"""An order that was prepared and kept is sent as it is, and has one effect however often it comes."""

from __future__ import annotations

import json

import pytest

from tests.e2e.witness import WAIT, Witness
from tongdui import Client, Issue, Member, NonceUsedError, NotFoundError, PreparedOrder


def posted(client: Client, member: Member) -> int:
    return sum(account.posted for account in client.members.accounts(member))


def test_the_same_bytes_sent_twice_have_one_effect(witness: Witness) -> None:
    member, client = witness.member(), witness.fuel.client
    prepared = client.orders.prepare([Issue(program="FUEL", member=member, points=7)], idempotency_key="kept-1")
    assert posted(client, member) == 0
    first = client.orders.submit(prepared, wait=WAIT)
    kept = PreparedOrder(prepared.content, "kept-1", prepared.nonce, prepared.deadline)
    assert client.orders.submit(kept).id == first.id
    short = client.orders.submit(kept, detail=False)
    assert (short.id, short.size, short.movements) == (first.id, first.size, ())
    assert first.nonce == prepared.nonce
    assert json.loads(prepared.content)["authorization"]["deadline"] == prepared.deadline
    assert posted(client, member) == 7


def test_two_orders_signed_with_one_nonce_cannot_both_take_effect(witness: Witness) -> None:
    member, client = witness.member(), witness.fuel.client
    first = client.orders.prepare([Issue(program="FUEL", member=member, points=7)])
    second = client.orders.prepare([Issue(program="FUEL", member=member, points=8)], nonce=first.nonce)
    client.orders.submit(second, wait=WAIT)
    with pytest.raises(NonceUsedError):
        client.orders.submit(first)
    assert posted(client, member) == 8


def test_what_cannot_be_signed_is_refused_before_anything_is_sent(witness: Witness) -> None:
    with pytest.raises(NotFoundError):
        witness.fuel.client.orders.prepare([Issue(program="FUEL", member="external:NOBODY", points=7)])


def test_without_a_key_of_its_own_a_client_prepares_for_the_gateway_to_sign(witness: Witness) -> None:
    """The station signs for itself, so its gateway refuses to; the body is whole nevertheless."""
    with Client(witness.network.url, witness.fuel.api_key) as client:
        prepared = client.orders.prepare([Issue(program="FUEL", member=witness.member(), points=7)])
    assert (prepared.nonce, prepared.deadline) == (None, None)
    assert "authorization" not in json.loads(prepared.content)
