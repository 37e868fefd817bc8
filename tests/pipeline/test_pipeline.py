"""From accepted to settled: what no crash, reorganisation, race or refusal may change."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from eth_account import Account as EthAccount
from sqlalchemy import select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.chain.client import BlockData, Tip
from clearing.chain.errors import ChainError
from clearing.kit.errors import Conflict, Refused, Unavailable
from clearing.kit.events.models import Event
from clearing.ledger.accounts.models import Account
from clearing.ledger.journal.models import Entry
from clearing.ledger.settlement.models import BankMovement, BankMovementState, Position
from clearing.ledger.settlement.service import SettlementService
from clearing.ordering.orders.kinds.issue import IssueRequest
from clearing.ordering.orders.kinds.redeem import RedeemRequest
from clearing.ordering.orders.models import Order, OrderState
from clearing.ordering.orders.repository import OrderRepository
from clearing.oversight.operations.service import OperationsService
from clearing.oversight.reconciliation.service import ReconciliationService
from clearing.parties.merchants.models import Merchant, MerchantStatus
from clearing.pipeline.failed_calls import fail_call_for_good
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.projection import project_block
from scripts.dev.services import Anvil
from tests.support.harness import Harness
from tongdui.encoding import hex_of, keccak256


def test_an_exchange_settles_and_the_remainder_stays_with_the_member(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 1_000)
    harness.settle()
    order = harness.exchange(member, 101)
    harness.settle()

    assert harness.order(order).state is OrderState.SETTLED
    with harness.database.session.begin() as session:
        settled = OrderRepository(session).by_id(order)
        assert settled is not None
        (movement,) = OrderRepository(session).movements_of(settled)
        assert movement.entry is not None
        # 101 * 9/10 = 90.9: 90 points come out, which take ceil(90 * 10/9) = 100 points in.
        assert (movement.entry.points, movement.entry.out) == (100, 90)
        assert (movement.entry.settled, movement.entry.fee) == (900_000, 4_500)
    harness.check()


def test_points_that_are_reserved_cannot_be_used_again(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    harness.exchange(member, 80)
    with pytest.raises(Refused, match="20 points available, 30 are needed"):
        harness.redeem(member, 30, "FUEL")
    harness.settle()
    harness.check()


def test_an_exchange_that_the_payer_cannot_cover_is_refused(harness: Harness) -> None:
    member = harness.member()
    for _ in range(2):
        harness.issue(member, 100_000)
    harness.settle()
    harness.exchange(member, 100_000)  # 900 CNY and a fee of the 1,000 CNY on deposit
    with pytest.raises(Refused) as refusal:
        harness.exchange(member, 100_000)
    assert refusal.value.code == "insufficient_liquidity"
    harness.settle()
    harness.check()


def test_money_reserved_by_a_withdrawal_pays_for_nothing(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    for fails in (True, False):
        _withdraw(harness, 1, 999_999_000, "leaves")
        with pytest.raises(Refused) as refusal:
            harness.exchange(member, 50)
        assert refusal.value.code == "insufficient_liquidity"
        assert ReconciliationService(harness.database, harness.client, harness.settings).run().is_clean
        if fails:
            with harness.database.session.begin() as session:
                fail_call_for_good(
                    session, session.scalars(select(Call).where(Call.state == CallState.PENDING)).one(), "no"
                )
            harness.sequencer.step()
    before = harness.client.head()
    harness.settle()
    with harness.database.reading() as session:
        assert [p.reserved for p in session.scalars(select(Position))] == [0, 0, 0]
    harness.check()
    own_chain.reorganise(harness.client.head() - before)
    harness.settle()
    with harness.database.reading() as session:
        assert [p.reserved for p in session.scalars(select(Position))] == [0, 0, 0]
    harness.check()


def test_no_withdrawal_exceeds_the_money_in_the_bank(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        request_call(session, "operator", "setCreditLimit", [1, 1_000_000_000], "")
    _withdraw(harness, 1, 500_000_000, "all but 500 CNY")
    _withdraw(harness, 2, 1_000_000_000, "everything")
    member = harness.member()
    harness.issue(member, 100_000)
    harness.settle()
    harness.exchange(member, 100_000)  # 900 CNY to the cinema, of which the bank has 500
    harness.settle()
    assert harness.call("settlementFunds") == 500_000_000

    with pytest.raises(Refused, match="500000000 micros") as refusal:
        _withdraw(harness, 2, 900_000_000, "too much")
    assert (refusal.value.code, refusal.value.errors[0].pointer) == ("insufficient_funds", "/micros")

    with harness.database.session.begin() as session:  # somebody is paid past the gateway
        request_call(session, "treasury", "withdraw", [0, 4_500_000, "0x" + "77" * 32], "")
    movement = _withdraw(harness, 2, 500_000_000, "too late")
    with pytest.raises(Refused, match="0 micros"):
        _withdraw(harness, 2, 1, "what another one takes")
    harness.settle()
    with harness.database.reading() as session:
        assert session.get_one(BankMovement, movement).state is BankMovementState.FAILED
        call = session.scalars(select(Call).where(Call.subject == movement)).one()
        assert (call.state, call.error) == (CallState.FAILED, "FundsTooLow(495500000, 500000000)")
        assert [p.reserved for p in session.scalars(select(Position))] == [0, 0, 0]
    _withdraw(harness, 2, 495_500_000, "the rest")
    harness.settle()
    assert harness.call("settlementFunds") == 0
    harness.check()


def _deposit(harness: Harness, merchant: int, micros: int) -> str:
    with harness.database.session.begin() as session:
        merchant_id = session.get_one(Merchant, merchant).id
        service = SettlementService(session)
        return service.deposit(merchant_id=merchant_id, micros=micros, bank_reference="BANK-1", actor="test").id


def _refuse_call(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        fail_call_for_good(session, session.scalars(select(Call).where(Call.state == CallState.PENDING)).one(), "no")


def _bank_movements(harness: Harness) -> dict[str, str]:
    with harness.database.reading() as session:
        return {movement.id: movement.state for movement in session.scalars(select(BankMovement))}


def _recorded(harness: Harness, subject: str) -> list[str]:
    with harness.database.reading() as session:
        return list(session.scalars(select(Event.type).where(Event.subject == subject).order_by(Event.seq)))


def test_a_failed_deposit_is_booked_when_it_is_requested_again(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    deposit = _deposit(harness, 1, 500)
    _refuse_call(harness)
    assert _bank_movements(harness) == {deposit: "failed"}
    assert _deposit(harness, 1, 500) == deposit
    with pytest.raises(Conflict, match="booked before"):
        _deposit(harness, 1, 500)
    before = harness.client.head()
    harness.settle()
    assert _bank_movements(harness) == {deposit: "posted"}
    assert _recorded(harness, deposit) == ["deposit.requested", "deposit.failed", "deposit.requested", "deposit.posted"]
    own_chain.reorganise(harness.client.head() - before)
    harness.settle()
    assert _bank_movements(harness) == {deposit: "posted"}
    assert _recorded(harness, deposit)[4:] == ["deposit.posted"]
    harness.check()


def test_the_reference_of_a_deposit_that_failed_is_free_for_another(harness: Harness) -> None:
    wrong = _deposit(harness, 2, 500)
    _refuse_call(harness)
    right = _deposit(harness, 1, 600)
    harness.settle()
    assert _bank_movements(harness) == {wrong: "failed", right: "posted"}
    for merchant, micros in ((2, 500), (1, 600)):
        with pytest.raises(Conflict, match="booked before"):
            _deposit(harness, merchant, micros)
    harness.check()


def test_a_reference_that_was_used_past_the_gateway_books_no_other_movement(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        request_call(session, "treasury", "deposit", [2, 7, hex_of(keccak256(b"BANK-1"))], "")
    deposit = _deposit(harness, 1, 500)
    harness.settle()
    assert _bank_movements(harness) == {deposit: "failed"}
    assert _recorded(harness, deposit) == ["deposit.requested", "deposit.failed"]
    harness.check()


def test_a_reference_has_one_effect_until_its_instruction_is_refused(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100, reference="sale-1")
    with pytest.raises(Conflict) as refusal:
        harness.issue(member, 100, reference="sale-1")
    assert refusal.value.code == "duplicate_reference"
    assert refusal.value.errors[0].pointer == "/reference"
    harness.settle()
    with pytest.raises(Conflict):
        harness.issue(member, 100, reference="sale-1")
    harness.check()


def test_an_order_that_the_chain_refuses_is_rejected_with_its_reason_and_released(harness: Harness) -> None:
    """The gateway checks first, so the chain refuses only after a change behind its back: here, the points go elsewhere."""
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.redeem(member, 100, "FUEL")
    with harness.database.session.begin() as session:
        # The read model forgets the reservation, as a bug or a restored backup might.
        row = session.scalars(select(Order).where(Order.id == order)).one()
        (instruction,) = row.instructions
        session.get_one(Account, (instruction.address, 1)).reserved = 0
        instruction.reserves = 0
    second = harness.redeem(member, 100, "FUEL")
    harness.settle()

    assert harness.order(order).state is OrderState.SETTLED
    refused = harness.order(second)
    assert (refused.state, refused.reason) == (OrderState.REJECTED, "insufficient_points")
    harness.check()


def test_an_order_of_a_merchant_that_is_not_on_the_chain_yet_is_postponed(harness: Harness) -> None:
    member = harness.member()
    with harness.database.session.begin() as session:
        session.get_one(Merchant, 1).status = MerchantStatus.PENDING
    with pytest.raises(Unavailable) as postponed:
        harness.issue(member, 100)
    assert postponed.value.code == "merchant_pending"


def test_an_order_whose_deadline_passes_unsent_expires_and_frees_its_points(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.redeem(member, 100, "FUEL")
    with harness.database.session.begin() as session:
        session.scalars(select(Order).where(Order.id == order)).one().deadline = int(time.time()) - 1
    harness.settle()

    assert harness.order(order).state is OrderState.EXPIRED
    harness.redeem(member, 100, "FUEL")
    harness.settle()
    harness.check()


# -------------------------------------------------------------------- crashes


def test_retry_after_a_crash_before_sending_settles_once(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100)
    assert harness.sequencer.sign_batch()
    harness.restart()  # stored, never sent
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


def test_retry_after_a_crash_between_sending_and_recording_it_settles_once(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100)
    assert harness.sequencer.sign_batch()
    with harness.database.session.begin() as session:
        (raw,) = session.scalars(select(Transaction.raw).where(Transaction.state == TransactionState.SIGNED))
    assert raw is not None
    harness.client.send_raw([raw])
    harness.restart()  # the node has it, the database does not know
    assert harness.sequencer.send_due()
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert _count_entries(harness, order) == 1
    harness.check()


def test_a_crash_in_the_middle_of_a_block_leaves_nothing_of_it(harness: Harness) -> None:
    member = harness.member()
    order = harness.issue(member, 100)
    harness.sequencer.step()
    block = _block_of(harness, order)
    session = harness.database.session()
    project_block(session, block, harness.network)
    session.close()  # the process dies before the commit
    assert harness.order(order).state is OrderState.SUBMITTED
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    assert _count_entries(harness, order) == 1
    harness.check()


def test_a_batch_whose_nonce_was_taken_is_made_again(lone_harness: Harness) -> None:
    """Somebody used the sequencer's key elsewhere: the stored transaction can never be mined."""
    harness = lone_harness
    member = harness.member()
    order = harness.issue(member, 100)
    assert harness.sequencer.sign_batch()
    with harness.database.session.begin() as session:
        lost = session.scalars(select(Transaction).where(Transaction.state == TransactionState.SIGNED)).one()
    _use_nonce(harness, lost.nonce)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    with harness.database.session.begin() as session:
        assert session.get_one(Transaction, lost.id).state is TransactionState.REPLACED
    harness.check()


def test_a_node_that_counts_a_transaction_before_it_shows_the_block_does_not_make_it_lost(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        call = request_call(session, "operator", "setCreditLimit", [1, 5_000], "somebody")
    order = harness.issue(harness.member(), 100)
    harness.sequencer.step()
    harness.signer.step()  # both mined, neither projected yet
    honest = harness.client.batch

    def forgetful(calls: Sequence[tuple[str, Sequence[object]]]) -> list[object]:
        asked = zip(calls, honest(calls), strict=True)
        return [None if method == "eth_getTransactionReceipt" else answer for (method, _), answer in asked]

    harness.client.batch = forgetful  # type: ignore[method-assign, assignment]
    assert harness.sequencer.send_due()  # "nonce too low", and no receipt
    assert harness.signer.send_due()
    harness.client.batch = honest  # type: ignore[method-assign]
    harness.settle()
    with harness.database.session.begin() as session:
        assert set(session.scalars(select(Transaction.state))) == {TransactionState.MINED}
        assert session.get_one(Call, call.id).state is CallState.DONE
    assert harness.order(order).state is OrderState.SETTLED
    assert _count_entries(harness, order) == 1
    harness.check()


def test_a_call_that_the_contract_refuses_fails_with_the_contracts_error(harness: Harness) -> None:
    with harness.database.session.begin() as session:
        call = request_call(session, "operator", "setCreditLimit", [99, 1], "somebody")
    harness.settle()
    with harness.database.session.begin() as session:
        failed = session.get_one(Call, call.id)
        assert (failed.state, failed.error) == (CallState.FAILED, "UnknownMerchant(99)")


@pytest.mark.parametrize("message", ["header not found", "rate limit exceeded"])
def test_a_node_in_trouble_makes_nothing_fail_for_good(harness: Harness, message: str) -> None:
    with harness.database.session.begin() as session:
        call = request_call(session, "operator", "setCreditLimit", [1, 5_000], "somebody")
    harness.sequencer._batches.capacity.batch_failed()  # batches are tried out, too
    order = harness.issue(harness.member(), 100)
    honest = harness.client.call

    def troubled(method: str, *parameters: object) -> object:
        if method == "eth_call":
            raise ChainError(method, -32_000, message)
        return honest(method, *parameters)

    harness.client.call = troubled  # type: ignore[method-assign, assignment]
    for _ in range(3):
        with pytest.raises(ChainError, match=message):
            harness.sequencer.step()
        with pytest.raises(ChainError, match=message):
            harness.signer.sign_pending()
    harness.client.call = honest  # type: ignore[method-assign]
    harness.settle()
    with harness.database.session.begin() as session:
        assert session.get_one(Call, call.id).state is CallState.DONE
    assert harness.order(order).state is OrderState.SETTLED


def test_whoever_signs_calls_may_be_away_and_orders_go_on(harness: Harness) -> None:
    order = harness.issue(harness.member(), 100)
    with harness.database.session.begin() as session:
        request_call(session, "treasury", "deposit", [1, 5, "0x" + "77" * 32], "somebody")
    harness.sequencer.step()
    assert harness.order(order).state is OrderState.SUBMITTED
    harness.projector.step()
    assert harness.order(order).state is OrderState.SETTLED
    with harness.database.session() as session:
        assert session.scalars(select(Call.state).order_by(Call.id.desc()).limit(1)).one() is CallState.PENDING
    harness.settle()
    harness.check()


def test_an_order_that_was_cancelled_but_carried_out_shows_what_the_chain_did(harness: Harness) -> None:
    """As after a restored backup: the database has forgotten that it sent the order."""
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    order = harness.redeem(member, 60, "FUEL")
    harness.sequencer.step()  # mined, not yet projected
    with harness.database.session.begin() as session:
        row = session.scalars(select(Order).where(Order.id == order)).one()
        row.state, row.transaction_id, row.submitted_at = OrderState.ACCEPTED, None, None
        OperationsService(session, actor="operator").cancel(order)
    assert harness.order(order).state is OrderState.CANCELLED
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()
    with pytest.raises(Refused, match="40"):
        harness.redeem(member, 41, "FUEL")


# -------------------------------------------------------------------- reorganisations


def test_a_node_that_is_behind_is_waited_for(harness: Harness) -> None:
    order = harness.issue(harness.member(), 100)
    harness.settle()
    harness.settings.node_patience = 60.0
    client, hash_of, head = harness.client, harness.client.block_hash, harness.client.head()
    client.head = lambda: head - 2  # type: ignore[method-assign]
    client.block_hash = lambda number: hash_of(number) if number <= head - 2 else None  # type: ignore[method-assign]
    client.tip = lambda *_: Tip(head - 2, None, None)  # type: ignore[method-assign]
    assert not harness.projector.step()
    assert harness.order(order).state is OrderState.SETTLED
    harness.settings.node_patience = 0.0  # it stays so
    assert harness.projector.step()
    assert harness.order(order).state is not OrderState.SETTLED
    del client.head, client.block_hash, client.tip
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


def test_a_rejected_order_that_a_reorganisation_reopens_has_its_reference_again(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    harness = lone_harness
    member = harness.member()
    harness.send(
        "pauser", "setProgramPaused", 1, True
    )  # mined, not yet projected: the order is accepted, and the chain refuses it
    order = harness.issue(member, 100, reference="DOC-1")
    before = harness.client.head()
    harness.settle()
    assert harness.order(order).reason == "program_paused"
    own_chain.rpc("evm_setAutomine", False)
    own_chain.reorganise(harness.client.head() - before + 1)
    while harness.order(order).state is OrderState.REJECTED:
        harness.projector.step()
    with pytest.raises(Conflict) as refusal:
        harness.issue(member, 100, reference="DOC-1")
    assert refusal.value.code == "duplicate_reference"
    own_chain.rpc("evm_setAutomine", True)
    harness.settle()
    harness.check()


def test_a_reorganisation_rolls_back_and_settles_again(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    first = harness.issue(member, 500)
    harness.settle()
    second = harness.exchange(member, 100)
    harness.settle()
    harness.check()

    own_chain.reorganise(3)  # the newest blocks are replaced by empty ones
    harness.settle()

    for order in (first, second):
        assert harness.order(order).state is OrderState.SETTLED
        assert _count_entries(harness, order) == 1
    harness.check()


def test_a_reorganisation_reverts_registrations_and_money_too(lone_harness: Harness, own_chain: Anvil) -> None:
    harness = lone_harness
    member = harness.member()
    harness.issue(member, 500)
    harness.settle()
    own_chain.reorganise(harness.client.head() - 8)  # deep into the onboarding
    harness.settle()
    harness.check()
    harness.exchange(member, 100)
    harness.settle()
    harness.check()


# -------------------------------------------------------------------- races


def test_exactly_the_covered_ones_of_fifty_concurrent_redemptions_succeed(harness: Harness) -> None:
    member = harness.member()
    harness.issue(member, 100)
    harness.settle()
    outcomes: list[bool] = []

    def redeem() -> None:
        try:
            harness.redeem(member, 10, "FUEL")
            outcomes.append(True)
        except Refused:
            outcomes.append(False)

    threads = [threading.Thread(target=redeem) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    harness.settle()
    assert sorted(outcomes) == [False] * 40 + [True] * 10
    harness.check()


def test_an_atomic_order_may_use_what_it_gains(harness: Harness) -> None:
    member = harness.member()
    requests = [
        IssueRequest(member=member, points=100, program="FUEL"),
        RedeemRequest(member=member, points=60, program="FUEL"),
    ]
    with pytest.raises(Refused, match="0 points available"):
        harness.accept(1, requests)
    order = harness.accept(1, requests, atomic=True)
    harness.settle()
    assert harness.order(order).state is OrderState.SETTLED
    harness.check()


def _withdraw(harness: Harness, number: int, micros: int, reference: str) -> str:
    """Requests a withdrawal, as the gateway does; returns the movement's id."""
    with harness.database.session.begin() as session:
        merchant = session.get_one(Merchant, number).id
        service = SettlementService(session)
        return service.withdraw(merchant_id=merchant, micros=micros, bank_reference=reference, actor="test").id


def _count_entries(harness: Harness, order_id: str) -> int:
    order = harness.order(order_id)
    with harness.database.session.begin() as session:
        query = select(Entry).where(Entry.merchant == order.merchant_number, Entry.nonce == order.nonce)
        return len(session.scalars(query).all())


def _block_of(harness: Harness, order_id: str) -> BlockData:
    """The block that contains the order's transaction, which was sent a moment ago."""
    with harness.database.session.begin() as session:
        transaction = session.get_one(Transaction, harness.order(order_id).transaction_id)
    receipt = harness.client.call("eth_getTransactionReceipt", "0x" + transaction.hash.hex())
    number = int(receipt["blockNumber"], 16)
    (block,) = harness.client.blocks(number, number, harness.settings.contract)
    return block


def _use_nonce(harness: Harness, nonce: int) -> None:
    account = EthAccount.from_key(harness.keys.private_key("sequencer"))
    fields = {"chainId": 31_337, "to": account.address, "nonce": nonce, "gas": 21_000, "gasPrice": 0, "value": 0}
    signed = account.sign_transaction(fields)
    assert harness.client.send_raw([bytes(signed.raw_transaction)]) == [None]
