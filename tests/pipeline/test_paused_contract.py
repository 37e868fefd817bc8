"""While the contract is paused, orders and privileged calls wait; each happens afterwards, once. What takes away goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.chain.contract import encode_call
from clearing.chain.state import ContractState
from clearing.ledger.settlement.models import BankMovement, BankMovementState
from clearing.ledger.settlement.service import SettlementService
from clearing.ordering.orders.models import OrderState
from clearing.parties.merchants.models import Merchant, MerchantStatus
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tongdui.encoding import hex_of

SUSPENDED, ACTIVE = 2, 1
DEPOSIT = 7_000_000


@pytest.fixture
def set_paused(lone_harness: Harness, own_chain: Anvil) -> Callable[[bool], None]:
    """Pauses the contract past the daemons, as the pauser does, or restarts it."""

    def send(paused: bool) -> None:
        pauser = ContractState(lone_harness.client, lone_harness.settings.contract).holders("pauser")[0]
        data = hex_of(encode_call("pause" if paused else "unpause", []))
        own_chain.rpc("anvil_impersonateAccount", pauser)
        call = {"from": pauser, "to": lone_harness.settings.contract, "data": data, "gas": "0x30d40", "gasPrice": "0x0"}
        own_chain.rpc("eth_sendTransaction", call)
        own_chain.rpc("anvil_stopImpersonatingAccount", pauser)

    return send


def _deposit(harness: Harness) -> str:
    with harness.database.session.begin() as session:
        service = SettlementService(session)
        merchant = session.get_one(Merchant, 1)
        return service.deposit(merchant_id=merchant.id, micros=DEPOSIT, bank_reference="BANK-77", actor="test").id


def _movement(harness: Harness, movement: str) -> BankMovementState:
    with harness.database.reading() as session:
        return session.scalars(select(BankMovement.state).where(BankMovement.id == movement)).one()


def _states(harness: Harness) -> list[CallState]:
    with harness.database.reading() as session:
        return [call.state for call in session.scalars(select(Call).order_by(Call.id))]


def _steps(harness: Harness, times: int = 4) -> None:
    for _ in range(times):
        harness.sequencer.step()
        harness.signer.step()
        harness.projector.step()


def test_a_deposit_of_the_pause_happens_after_it_once(
    lone_harness: Harness, set_paused: Callable[[bool], None]
) -> None:
    harness = lone_harness
    before, member = harness.position(1), harness.member()
    set_paused(True)
    movement, order = _deposit(harness), harness.issue(member, 100)
    _steps(harness)
    assert _movement(harness, movement) is BankMovementState.PENDING
    assert harness.order(order).state is not OrderState.REJECTED
    harness.restart()  # nor does a crash lose it
    _steps(harness)
    assert harness.position(1) == before

    set_paused(False)
    while harness.order(order).state is not OrderState.SETTLED:  # the sequencer looks again after a second
        harness.settle()

    assert _movement(harness, movement) is BankMovementState.POSTED
    assert harness.position(1) == before + DEPOSIT
    assert set(_states(harness)) == {CallState.DONE}
    harness.check()


def test_a_call_that_a_pause_overtakes_again_and_again_is_not_lost(
    lone_harness: Harness, own_chain: Anvil, set_paused: Callable[[bool], None]
) -> None:
    """It was signed while the network ran, and each time a block had the pause before it."""
    harness = lone_harness
    before, movement = harness.position(1), _deposit(harness)
    for _ in range(3):
        own_chain.rpc("evm_setAutomine", False)
        set_paused(True)
        harness.sequencer.step()
        harness.signer.step()
        own_chain.rpc("anvil_mine", "0x1")
        own_chain.rpc("evm_setAutomine", True)
        set_paused(False)
        while harness.projector.step():
            pass
        assert _movement(harness, movement) is BankMovementState.PENDING
    harness.settle()
    assert _movement(harness, movement) is BankMovementState.POSTED
    assert harness.position(1) == before + DEPOSIT
    harness.check()


def test_what_takes_away_goes_past_what_waits(lone_harness: Harness, set_paused: Callable[[bool], None]) -> None:
    harness = lone_harness
    set_paused(True)
    movement = _deposit(harness)
    with harness.database.session.begin() as session:
        request_call(session, "operator", "setMerchantStatus", [2, SUSPENDED], "")
    _steps(harness)
    with harness.database.session.begin() as session:
        assert session.get_one(Merchant, 2).status is MerchantStatus.SUSPENDED
        request_call(session, "operator", "setMerchantStatus", [2, ACTIVE], "")
    _steps(harness)
    assert _movement(harness, movement) is BankMovementState.PENDING
    assert _states(harness)[-1] is CallState.PENDING  # it gives something, so it waits

    set_paused(False)
    harness.settle()

    assert _movement(harness, movement) is BankMovementState.POSTED
    with harness.database.reading() as session:
        assert session.get_one(Merchant, 2).status is MerchantStatus.ACTIVE
    harness.check()
