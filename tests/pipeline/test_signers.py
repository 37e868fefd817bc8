"""Privileged calls are signed by processes apart: each has one role's key, and knows nothing of the others'."""

from __future__ import annotations

from contextlib import closing

from sqlalchemy import select

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.service import request_call
from clearing.kit.config import Settings
from clearing.kit.ids import new_id
from clearing.kit.signing.role_keys import RoleKeys
from clearing.ordering.orders.models import OrderState
from clearing.parties.merchants.models import Merchant
from clearing.pipeline.leadership import Leadership
from clearing.pipeline.models import Transaction, TransactionState
from clearing.pipeline.privileged_calls import CallSigner, leadership_of
from scripts.dev.services import Anvil
from tests.gateway.site import until
from tests.pipeline.test_lock_order import mine_together
from tests.support.chainless import ChainlessNetwork
from tests.support.harness import Harness
from tests.support.secrets import passwords
from tongdui.encoding import hex_of, text_word


def _signer(harness: Harness, role: str) -> CallSigner:
    """A process with this role's password and no other."""
    own = {"keystore_dir": harness.settings.keystore_dir, **passwords(role)}
    return CallSigner(
        harness.database, harness.client, harness.settings, RoleKeys(Settings.model_validate(own)), [role]
    )


def _request(harness: Harness, role: str, function: str, *arguments: object) -> int:
    with harness.database.session.begin() as session:
        return request_call(session, role, function, list(arguments), "").id


def _deposit(harness: Harness, merchant: int, name: str) -> int:
    return _request(harness, "treasury", "deposit", merchant, 1_000_000, hex_of(text_word(name)))


def _state(harness: Harness, call: int) -> CallState:
    with harness.database.reading() as session:
        return session.get_one(Call, call).state


def _waiting(harness: Harness) -> list[Transaction]:
    with harness.database.reading() as session:
        return list(session.scalars(select(Transaction).where(Transaction.state == TransactionState.SIGNED)))


def _settle(harness: Harness, *signers: CallSigner) -> None:
    while any([*(signer.step() for signer in signers), harness.projector.step()]):
        pass


def test_each_signer_signs_and_sends_what_is_its_own(harness: Harness) -> None:
    operator, treasury = _signer(harness, "operator"), _signer(harness, "treasury")
    harness.client.call("evm_setAutomine", False)
    limit, deposit = _request(harness, "operator", "setCreditLimit", 1, 5), _deposit(harness, 1, "apart")
    assert operator.sign_pending()
    assert (_state(harness, limit), _state(harness, deposit)) == (CallState.SUBMITTED, CallState.PENDING)
    (mine,) = _waiting(harness)
    assert mine.sender == harness.keys.address("operator")
    assert not treasury.send_due(), "somebody else's transaction is not its to send"
    assert mine.sent_at is None
    assert _signer(harness, "operator").send_due(), "another process of the role goes on where this one died"
    assert treasury.step()
    harness.client.call("evm_mine")
    harness.client.call("evm_setAutomine", True)
    _settle(harness, operator, treasury)
    assert (_state(harness, limit), _state(harness, deposit)) == (CallState.DONE, CallState.DONE)
    harness.check()


def test_a_call_that_builds_on_another_roles_call_is_never_refused_for_good_before_that_one(harness: Harness) -> None:
    operator, treasury = _signer(harness, "operator"), _signer(harness, "treasury")
    address, _ = harness.keyring.create()
    with harness.database.session.begin() as session:
        session.add(Merchant(number=3, id=new_id("mer"), name="late"))
    registration = _request(harness, "operator", "registerMerchant", 3, hex_of(text_word("late")), address, 0)
    deposit = _deposit(harness, 3, "early")
    _settle(harness, treasury)  # the contract knows no merchant 3, so the deposit reverts
    assert _state(harness, deposit) is CallState.PENDING
    _settle(harness, operator, treasury)
    assert (_state(harness, registration), _state(harness, deposit)) == (CallState.DONE, CallState.DONE)
    harness.check()


def test_two_signers_in_one_block_use_their_own_nonces(harness: Harness) -> None:
    signers = [_signer(harness, role) for role in ("operator", "treasury")]
    calls = [
        call
        for number in range(3)
        for call in (
            _request(harness, "operator", "setCreditLimit", 1, number),
            _deposit(harness, 1, f"block-{number}"),
        )
    ]
    mine_together(harness, lambda: [signer.step() for signer in signers])  # type: ignore[arg-type, return-value]
    _settle(harness, *signers)
    assert {_state(harness, call) for call in calls} == {CallState.DONE}
    harness.check()


def test_what_fell_out_goes_again_in_its_order_unless_another_process_is_dead(
    lone_harness: Harness, own_chain: Anvil
) -> None:
    harness = lone_harness
    deposit = _deposit(harness, 1, "before")
    harness.settle()
    order = harness.issue(harness.member(), 100)
    harness.settle()
    own_chain.reorganise(2)
    while harness.projector.step():
        pass
    assert not harness.sequencer.step(), "the deposit goes first, and it is the signer's"
    assert [sent.sent_at for sent in _waiting(harness)] == [None, None]
    assert harness.signer.step()
    assert harness.sequencer.step()
    harness.settle()
    assert (_state(harness, deposit), harness.order(order).state) == (CallState.DONE, OrderState.SETTLED)
    own_chain.reorganise(2)
    while harness.projector.step():
        pass
    until(harness.sequencer.step)  # nobody sends the deposit: after a while the order goes without
    harness.settle()
    harness.check()


def test_one_process_leads_for_each_role_and_several_roles_are_led_together_or_not_at_all(
    chainless: ChainlessNetwork,
) -> None:
    both = Leadership(chainless.database, *map(leadership_of, ("treasury", "operator")))
    one, other = (Leadership(chainless.database, leadership_of(role)) for role in ("treasury", "operator"))
    with closing(_Released(both)), closing(_Released(one)), closing(_Released(other)):
        assert one.acquire()
        assert not both.acquire()
        assert other.acquire(), "whoever does not lead for all has let go of the rest"
        one.release()
        other.release()
        while not both.acquire():
            pass  # PostgreSQL ends a session some time after the client has disconnected
        assert not one.acquire()


class _Released:
    """Gives a leadership back at the end."""

    def __init__(self, leadership: Leadership) -> None:
        self.close = leadership.release
