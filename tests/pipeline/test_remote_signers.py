"""A role's and a merchant's key at a remote signer: whatever it does, no order is lost and none is carried out twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select, update

from clearing.kit.errors import Unavailable
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.remote_signer import Rest
from clearing.kit.signing.role_keys import RoleKeys
from clearing.kit.signing.signer import SignerUnavailable
from clearing.ledger.journal.models import Entry
from clearing.ordering.orders.models import Order, OrderState
from clearing.parties.merchants.models import SignerKey
from clearing.pipeline.models import Transaction
from clearing.pipeline.sequencer import Sequencer
from tests.support.harness import Harness
from tests.support.web3signer_server import Web3SignerServer

FAULTS = ("silent", "refuses", "lies")


@pytest.fixture
def server(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web3SignerServer]:
    """Keeps the sequencer's key, and that of the merchant `fuel`."""
    monkeypatch.setattr(Rest, "check", lambda _: None)  # the test waits for nothing
    with harness.database.session.begin() as session:
        key = session.scalars(select(SignerKey).where(SignerKey.merchant_number == 1)).one()
        own = harness.keyring._keyring.private_key(key.keystore or "")
    running = Web3SignerServer([harness.keys.private_key("sequencer"), own])
    with harness.database.session.begin() as session:
        mine = update(SignerKey).where(SignerKey.merchant_number == 1)
        session.execute(mine.values(keystore=f"web3signer:{key.address}"))
    harness.settings = harness.settings.model_copy(
        update={
            "web3signer_url": running.url,
            "signer_timeout": 0.3,
            "sequencer_key": f"web3signer:{harness.keys.address('sequencer')}",
        }
    )
    harness.keyring = Keyrings.of(harness.settings).managed_keys
    harness.keys = RoleKeys(harness.settings)
    harness.restart()
    yield running
    running.stop()


def _count(harness: Harness, model: type[Order | Entry | Transaction]) -> int:
    with harness.database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_orders_are_signed_and_sequenced_elsewhere_and_settle_once_whatever_fails(
    harness: Harness, server: Web3SignerServer
) -> None:
    member = harness.member()
    for fault in FAULTS:
        server.fault = fault
        with pytest.raises(Unavailable) as refusal:
            harness.issue(member, 100)
        assert refusal.value.code == "signer_unavailable"
    assert not _count(harness, Order), "the request can be sent again as it is"
    server.fault = ""
    order = harness.issue(member, 100)
    before = _count(harness, Transaction)
    for fault in FAULTS:
        server.fault = fault
        with pytest.raises(SignerUnavailable):
            harness.sequencer.step()
        assert harness.order(order).state is OrderState.ACCEPTED
        assert _count(harness, Transaction) == before, "what is not signed is not stored"
    server.fault = ""
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert _count(harness, Entry) == 1
    harness.check()


def test_a_signature_that_was_asked_for_twice_has_one_effect(
    harness: Harness, server: Web3SignerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sequencer dies with a signature in its hands: what counts is the transaction that is stored."""
    order = harness.issue(harness.member(), 100)
    asked = len(server.asked)
    with monkeypatch.context() as patch:
        patch.setattr(type(harness.database.session), "begin", _dying(type(harness.database.session).begin))
        with pytest.raises(KeyboardInterrupt):
            harness.sequencer.step()
    assert harness.order(order).state is OrderState.ACCEPTED
    harness.sequencer = Sequencer(harness.database, harness.client, harness.settings, harness.keys)
    harness.settle()
    assert len(server.asked) >= asked + 2, "it was signed, and after the crash once more"
    assert harness.order(order).state is OrderState.SETTLED
    assert _count(harness, Entry) == 1
    harness.check()


def _dying(begin: object) -> object:
    """A transaction that is never committed, because its process dies."""

    @contextmanager
    def dies(self: object) -> Iterator[object]:
        with begin(self) as session:  # type: ignore[operator]
            yield session
            raise KeyboardInterrupt

    return dies
